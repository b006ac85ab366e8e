"""What leads from names to resolvers, registrars, zone files and profiles (spec 10 section 3.16)."""

import json

import pytest

from bnslab.http import HttpClient

pytestmark = pytest.mark.p2pkh(*(f"w{number}" for number in range(6)))  # segwit owners cannot sign records

DOMAINS = ("foo1.test", "foo2.test", "foo3.test")


def resolver_of(lab, name):
    return lab.call("get_name_record", name)["record"].get("resolver")


def test_name_pre_regup_subdomain_resolver(rounds):
    """The resolver of a name is what its zone file with the highest accepted sequence says."""
    lab = rounds.lab
    rounds.open()
    rounds.put(0)
    rounds.announce(1, 0, resolver="http://localhost:16269")
    rounds.announce(2, 1)
    rounds.put(2)
    rounds.announce(3, 2, resolver="http://testnet.blockstack.org:16269")
    rounds.current(0, pending=True)
    assert all(resolver_of(lab, name) is None for name in DOMAINS)
    rounds.put(1)
    lab.mine()
    rounds.current(2, pending=True)
    assert all(resolver_of(lab, name) == "http://localhost:16269" for name in DOMAINS)
    rounds.put(3)
    lab.mine()
    rounds.current(3)
    for name in DOMAINS:
        assert resolver_of(lab, name) == "http://testnet.blockstack.org:16269"
        assert lab.resolve(f"bar.{name}").resolver == "http://testnet.blockstack.org:16269"
        answer = lab.node.get(f"/v1/names/unknown.{name}")
        assert answer.headers["location"] == f"http://testnet.blockstack.org:16269/v1/names/unknown.{name}"


def test_name_pre_regup_subdomain_lookups(lab):
    payer, owner = lab.wallet("w2"), lab.wallet("w3")
    lab.namespace("test", by=lab.wallet("w0"))
    drafts = {}
    for number, name in enumerate(DOMAINS):
        wallet = lab.wallet(f"w{number}")
        drafts[name] = lab.subdomain(f"bar.{name}", wallet, uri=lab.gaia.profile(wallet, {"name": name}))
    rounds = [drafts, {name: draft.update(uri=lab.gaia.profile(draft.owner, {"name": f"new {name}"}, "new.json"))
                       for name, draft in drafts.items()}]  # fmt: skip
    uri = lab.gaia.profile(owner, {"name": "the owner of the names"})
    for drafts in rounds:
        zonefiles = {
            name: lab.zonefile(name, draft, uri=uri, resolver="http://resolver.test") for name, draft in drafts.items()
        }
        for name, data in zonefiles.items():
            if lab.name(name) is None:
                lab.register(name, by=payer, to=owner, zonefile=data)
            else:
                lab.update(name, by=owner, zonefile=data)
        lab.mine()
        lab.publish(*zonefiles.values())
    lab.mine()
    for first, draft in zip(*(drafts.values() for drafts in rounds), strict=True):
        look_up(lab, first, draft)
    unknown = lab.node.get("/v1/names/baz.foo1.test")
    assert (unknown.status, unknown.json()) == (301, {"status": "redirect"})
    assert unknown.headers["location"] == "http://resolver.test/v1/names/baz.foo1.test"
    assert lab.node.get("/v1/names/baz.foo9.test").json() == {
        "status": "available",
        "more": "failed to look up parent domain",
    }


def look_up(lab, first, draft):
    """One subdomain, of which two records count, by all that finds it."""
    answer = lab.node.get(f"/v1/names/{draft.name}").json()
    assert (answer["status"], answer["address"]) == ("registered_subdomain", draft.owner.address)
    assert answer["zonefile"].encode() == draft.zonefile
    domain = draft.name.partition(".")[2]
    assert lab.profile(draft.name) == {"name": f"new {domain}"}
    assert lab.profile(domain) == {"name": "the owner of the names"}
    assert draft.name in lab.node.get(f"/v1/addresses/bitcoin/{draft.owner.address}").json()["names"]
    assert lab.call("get_subdomains_owned_by_address", draft.owner.address)["subdomains"] == [draft.name]
    history = lab.node.get(f"/v1/names/{draft.name}/history").json()
    assert [entry["sequence"] for entries in history.values() for entry in entries] == [0, 1]
    for record in (first, draft):
        hash_ = next(
            entry["value_hash"] for entries in history.values() for entry in entries
            if entry["sequence"] == record.sequence
        )  # fmt: skip
        assert lab.node.get(f"/v1/names/{draft.name}/zonefile/{hash_}?raw=1").body == record.zonefile


# A registrar, which queues subdomains and answers for those that are in no zone file yet. The store of the lab stands
# for it: files under the paths at which it would answer.


def registrar(lab, *queued):
    """A registrar that has queued these subdomains; its URL."""
    for draft in queued:
        answer = {"status": "pending_subdomain", "address": draft.owner.address, "last_txid": ""}
        lab.gaia.store(f"v1/names/{draft.name}", json.dumps(answer).encode())
    return "http://gaia.localhost"


def follow(lab, name):
    """The answer about a name, behind a redirect if there is one."""
    answer = lab.node.get(f"/v1/names/{name}")
    if answer.status != 301:
        return answer
    path = answer.headers["location"].removeprefix("http://gaia.localhost")
    host, port = lab.gaia.address
    with HttpClient(f"http://{host}:{port}") as client:
        return client.get(path)


def with_registrar(lab, namespace, domain, *drafts, **more):
    """A namespace and a name whose zone file has these records, and names a registrar."""
    lab.namespace(namespace, by=lab.wallet("w0"))
    url = registrar(lab)
    zonefile = lab.zonefile(domain, *drafts, registrar=url, resolver=url, **more)
    lab.register(domain, by=lab.wallet("w2"), to=lab.wallet("w3"), zonefile=zonefile)
    lab.publish(zonefile)
    lab.mine()


def test_name_pre_regup_subdomain_registrar(lab):
    """A resolver is known as soon as a record is accepted that came with it."""
    queued = [lab.subdomain(f"hello_{number}.personal.test", lab.wallet("w3")) for number in range(1, 4)]
    registrar(lab, *queued)
    with_registrar(lab, "test", "personal.test", lab.subdomain("first.personal.test", lab.wallet("w3")))
    for draft in queued:
        assert lab.node.get(f"/v1/names/{draft.name}").status == 301
        assert follow(lab, draft.name).json()["status"] == "pending_subdomain"
        assert follow(lab, draft.name).json()["last_txid"] == ""
    assert follow(lab, "hello_4.personal.test").status == 404


def test_subdomain_registrar_list_subdomains(lab):
    drafts = [
        lab.subdomain(f"bar{number}.foo.id", lab.wallet(f"w{number}"), zonefile=b"hello world %d" % number)
        for number in range(5)
    ]
    with_registrar(lab, "id", "foo.id", *drafts)
    names = [draft.name for draft in drafts]
    assert lab.node.get("/v1/subdomains?page=0").json() == names
    assert lab.node.get("/v1/subdomains?page=1").json() == []
    for draft in drafts:
        found = lab.resolve(draft.name)
        assert found.holds(draft)
        assert (found.sequence, found.address) == (0, draft.owner.address)
    assert lab.call("get_all_subdomains", 1, 3)["names"] == names[1:4]


def test_subdomain_registrar_redirect_test(lab):
    queued = lab.subdomain("zap.foo.id", lab.wallet("w1"))
    with_registrar(lab, "id", "foo.id", lab.subdomain("bar.foo.id", lab.wallet("w0"), zonefile=b"hello world"))
    registrar(lab, queued)
    assert follow(lab, "zap.foo.id").json()["address"] == queued.owner.address
    assert follow(lab, "bar.foo.id").json()["zonefile"] == "hello world"


@pytest.mark.parametrize("updates", [3, 23])
def test_subdomain_registrar_redirect_prior(lab, updates):
    """Zone files that are not here change nothing: the newest known one names the resolver."""
    queued = lab.subdomain("zap.foo.id", lab.wallet("w1"))
    with_registrar(lab, "id", "foo.id", lab.subdomain("bar.foo.id", lab.wallet("w0")))
    registrar(lab, queued)
    for number in range(updates):
        lab.update("foo.id", by=lab.wallet("w3"), value_hash=f"{number + 1:02x}" * 20)
    lab.mine()
    assert follow(lab, "zap.foo.id").json()["address"] == queued.owner.address
