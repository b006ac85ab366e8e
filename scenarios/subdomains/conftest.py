"""What the reference's scenarios of subdomains have in common (spec 10 section 3.16)."""

import pytest

DOMAINS = ("foo1.test", "foo2.test", "foo3.test")


class Rounds:
    """bar.foo1.test, bar.foo2.test and bar.foo3.test, of w4, and rounds of records that update all three.

    A round is announced in one block, by the zone files of the subdomains' own names or by those of one other name.
    What is announced is handed over by put.
    """

    def __init__(self, lab, size=1):
        self.lab = lab
        self.wallets = [lab.wallet(f"w{number}") for number in range(6)]
        owner = self.wallets[4]
        holders = {"bar": owner} if size == 1 else {f"bar{number}": owner.child(number) for number in range(size)}
        self.records = {
            0: {
                domain: [
                    lab.subdomain(f"{label}.{domain}", holder, uri="http://u0") for label, holder in holders.items()
                ]
                for domain in DOMAINS
            }
        }
        self.zonefiles = {}

    def open(self, key=0, others=(), hashes=True, **more):
        """A namespace, and the names with the zone files of a round; others have no zone file."""
        self.lab.namespace("test", by=self.wallets[0])
        if hashes:
            self.write(key, **more)
        self.register(key, others)

    def register(self, key=0, others=()):
        """The names, which announce the zone files of a round if they are written, and others, which announce none."""
        lab, payer, owner = self.lab, self.wallets[2], self.wallets[3]
        zonefiles = dict(zip(DOMAINS, self.zonefiles.get(key, ()), strict=False))
        for name in (*DOMAINS, *others):
            lab.name_preorder(name, by=payer, to=owner)
        lab.mine()
        for name in (*DOMAINS, *others):
            lab.name_registration(name, by=payer, to=owner, zonefile=zonefiles.get(name))
        lab.mine()

    def follow(self, key, previous, to=None, uri=None):
        """Make the records of a round that follows another one: updates, or transfers to a wallet."""
        self.records[key] = {
            domain: [draft.transfer(to or draft.owner, uri=uri or f"http://u{key}") for draft in drafts]
            for domain, drafts in self.records[previous].items()
        }

    def write(self, key, carrier=None, **more):
        """Write the zone files of a round, those of the subdomains' names or of another one."""
        self.zonefiles[key] = [
            self.lab.zonefile(carrier or domain, *drafts, **more) for domain, drafts in self.records[key].items()
        ]
        return self.zonefiles[key]

    def send(self, key, carrier=None, times=1):
        """Announce the zone files of a round in one block."""
        for domain, data in zip(DOMAINS, self.zonefiles[key], strict=True):
            for _ in range(times):
                self.lab.update(carrier or domain, by=self.wallets[3], zonefile=data)
        self.lab.mine()

    def announce(self, key, previous, carrier=None, to=None, times=1, **more):
        """All of it: a round that follows another one, announced in one block."""
        self.follow(key, previous, to)
        self.write(key, carrier, **more)
        self.send(key, carrier, times)

    def put(self, *keys):
        """Hand over the zone files of rounds."""
        for key in keys:
            self.lab.publish(*self.zonefiles[key])

    def current(self, key, pending=False, domain=None):
        """Assert that the records of a round are those that hold now; of no round for None.

        pending and domain are the same for all three, or pending is told for those of a name that are pending.
        """
        for name in DOMAINS:
            for draft in self.records[key or 0][name]:
                found = self.lab.resolve(draft.name)
                if key is None:
                    assert found is None, draft.name
                else:
                    assert found.holds(draft), (draft, found)
                    expected = pending.get(name, False) if isinstance(pending, dict) else pending
                    assert (found.pending, found.domain) == (expected, domain or name)

    def history(self, *keys):
        """Assert that the accepted records of each subdomain are those of these rounds."""
        for name in DOMAINS:
            answer = self.lab.call("get_name_blockchain_record", f"bar.{name}")
            history = answer["record"]["history"]
            found = [entry for height in sorted(history, key=int) for entry in history[height]]
            wanted = [self.records[key][name][0] for key in keys]
            assert [(entry["address"], entry["sequence"]) for entry in found] == [
                (draft.owner.address, draft.sequence) for draft in wanted
            ]


@pytest.fixture
def rounds(lab):
    return Rounds(lab)


@pytest.fixture
def many_rounds(lab):
    """With a hundred subdomains of each name."""
    return Rounds(lab, size=100)
