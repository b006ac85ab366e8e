"""In which order rounds of records are announced and handed over, and what holds in the end (spec 10 section 3.16)."""

import pytest

pytestmark = pytest.mark.p2pkh(*(f"w{number}" for number in range(6)))  # segwit owners cannot sign records

OWN, OTHER = "own", "other"
OTHERS = ("foo4.test", "foo5.test", "foo6.test", "foo7.test")
# A number announces a round in a block, by the subdomains' own names or by one other name; +number hands it over; / is
# a block; =number is the round that holds now, ? behind it pending, =- none.
ARRIVALS = {
    "name_pre_regup_subdomain": (OWN, "+0 / =0"),
    "name_pre_regup_subdomain_reindex": (OWN, "+0 / =0"),
    "name_pre_regup_subdomain_sequence": (OWN, "+0 1 +1 2 +2 3 +3 / =3"),
    "name_pre_regup_subdomain_sequence_independent": (OTHER, "+0 1 +1 2 +2 3 +3 / =3"),
    "name_pre_regup_subdomain_batch": (OWN, "1 2 3 +0 +1 +2 +3 / =3"),
    "name_pre_regup_subdomain_batch_independent": (OTHER, "1 2 3 +0 +1 +2 +3 / =3"),
    "name_pre_regup_subdomain_batch_reversed": (OWN, "1 2 3 +3 / +2 / +1 / =- +0 / =3"),
    "name_pre_regup_subdomain_batch_reversed_independent": (OTHER, "1 2 3 +3 / +2 / +1 / =- +0 / =3"),
    "name_pre_regup_subdomain_reorg_indep_multi": (OTHER, "1 2 3 +3 / +2 / +1 / =- +0 / =3"),
    "name_pre_regup_subdomain_reordered": (OWN, "1 +1 / 2 +2 / 3 +3 / =- +0 / =3"),
    "name_pre_regup_subdomain_reordered_independent": (OTHER, "1 +1 / 2 +2 / 3 +3 / =- +0 / =3"),
    "name_pre_regup_subdomain_holes": (OWN, "+0 1 =0? 2 +2 3 =0? +1 / =2? +3 / =3"),
    "name_pre_regup_subdomain_holes_independent": (OTHER, "+0 1 =0 2 +2 3 =0 +1 / =2 +3 / =3"),
    "name_pre_regup_subdomain_createdb": (OTHER, "1 2 3 +0 +1 +2 +3 =- / / / / =3"),
}  # fmt: skip


@pytest.mark.parametrize(("carrier", "script"), ARRIVALS.values(), ids=ARRIVALS)
def test_arrival(rounds, carrier, script):
    rounds.open(others=() if carrier == OWN else OTHERS)
    play(rounds, carrier, script)
    assert rounds.lab.call("get_num_subdomains")["count"] == 3
    assert rounds.lab.node.get("/v1/subdomains?page=0").json() == ["bar.foo1.test", "bar.foo2.test", "bar.foo3.test"]


def play(rounds, carrier, script, times=1):
    names = {number: OTHERS[number - 1] for number in (1, 2, 3)} if carrier == OTHER else {}
    for step in script.split():
        if step == "/":
            rounds.lab.mine()
        elif step.startswith("+"):
            rounds.put(int(step[1:]))
        elif step == "=-":
            rounds.current(None)
        elif step.startswith("="):
            number = int(step[1])
            rounds.current(number, pending=step.endswith("?"), domain=names.get(number))
        else:
            rounds.announce(int(step), int(step) - 1, names.get(int(step)), times=times)


def test_name_pre_regup_subdomain_batch_dup(rounds):
    rounds.open()
    play(rounds, OWN, "1 2 3 +0 +1 +2 +3 / =3", times=2)
    assert rounds.lab.call("get_num_subdomains")["count"] == 3


def test_name_pre_regup_subdomain_sequence_bigzonefile_indep(many_rounds):
    many_rounds.open(others=OTHERS)
    play(many_rounds, OTHER, "+0 1 +1 2 +2 3 +3 / =3")
    assert many_rounds.lab.call("get_num_subdomains")["count"] == 300


def test_name_pre_regup_subdomain_big(lab):
    payer, owner = lab.wallet("w2"), lab.wallet("w3")
    lab.namespace("test", by=lab.wallet("w0"))
    lab.register("foo.test", by=payer, to=owner)
    drafts = [lab.subdomain(f"bar{number}.foo.test", lab.wallet("w4")) for number in range(2000)]
    zonefiles = [lab.zonefile("foo.test", *drafts[at : at + 100]) for at in range(0, 2000, 100)]
    for zonefile in zonefiles:
        lab.update("foo.test", by=owner, zonefile=zonefile)
    lab.mine()
    lab.publish(*zonefiles)
    lab.mine()
    assert lab.call("get_num_subdomains")["count"] == 2000
    assert all(lab.resolve(draft.name).holds(draft) for draft in drafts)


def test_name_pre_regup_subdomain_batch_dup_reindex(rounds):
    """Sequence 1 comes before sequence 0; announced once more, it counts, because its zone file is here."""
    rounds.follow(1, 0)
    rounds.follow(2, 1)
    rounds.open(key=1)
    rounds.put(1)
    rounds.lab.mine()
    rounds.current(None)
    rounds.write(0)
    rounds.send(0)
    rounds.put(0)
    rounds.lab.mine()
    rounds.current(0)
    rounds.send(1)
    rounds.current(1)
    rounds.write(2)
    rounds.send(2)
    rounds.put(2)
    rounds.lab.mine()
    rounds.current(2)
    assert rounds.lab.call("get_num_subdomains")["count"] == 3


def test_name_pre_regup_subdomain_alreadycached(rounds):
    """The first zone files are here before their names announce them: another name has announced them, to no effect."""
    lab, payer = rounds.lab, rounds.wallets[2]
    lab.namespace("test", by=rounds.wallets[0])
    lab.register("foo4.test", by=payer, to=rounds.wallets[3])
    rounds.write(0)
    rounds.send(0, carrier="foo4.test")
    rounds.put(0)
    lab.mine()
    rounds.current(None)
    rounds.register()
    rounds.current(0)
    play(rounds, OWN, "1 +1 2 +2 3 +3 / =3")


def test_name_pre_regup_subdomain_initialchecks(rounds):
    """Two creations compete: the later one holds, but pending, until the earlier one is here."""
    rounds.open()
    rounds.records["second"] = {
        domain: [rounds.lab.subdomain(f"bar.{domain}", "w4", uri="http://second")] for domain in rounds.records[0]
    }
    rounds.write("second")
    rounds.send("second")
    rounds.put("second")
    rounds.lab.mine()
    rounds.current("second", pending=True)
    rounds.put(0)
    rounds.lab.mine()
    rounds.current(0)
