"""The configuration file: read as the reference's users have it, written, refused when it cannot be meant."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bns.atlas.node import Identity
from bns.node.config import ConfigError, ObsoleteConfig, load, save
from bns.node.network import identity_of
from bns.params import Params

# As the reference writes it on its first run.
REFERENCE = """
[bitcoind]
passwd = blockstacksystem
server = bitcoin.blockstack.com
spv_path = /home/someone/.virtualchain-spv-headers.dat
port = 8332
user = blockstack
p2p_port = 8333
regtest = False
timeout = 300.0

[blockstack]
server_version = 19.0.8.1
rpc_port = 6264
enabled = True
backup_frequency = 144
backup_max_age = 1008
atlas = True
atlas_seeds = node.blockstack.org:6264
atlas_blacklist =
atlas_hostname = 127.0.0.1
atlas_port = 6264
zonefiles = /home/someone/.blockstack-server/zonefiles
announcers = judecn.id,muneeb.id,shea256.id

[blockstack-api]
enabled = True
api_port = 6270
api_host = localhost
indexer_url = http://localhost:6264

[mine]
kept = yes
"""


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "blockstack-server.ini"
    path.write_text(REFERENCE)
    return path


def test_the_file_of_the_reference(ini: Path) -> None:
    config = load(ini.parent)
    assert (config.bitcoind.server, config.bitcoind.port, config.bitcoind.timeout) == (
        "bitcoin.blockstack.com",
        8332,
        300.0,
    )
    assert config.node.zonefiles == Path("/home/someone/.blockstack-server/zonefiles")
    assert config.node.announcers == ("judecn.id", "muneeb.id", "shea256.id")
    assert (config.api.api_port, config.api.enabled, config.node.atlas) == (6270, True, True)
    assert (config.confirmations, config.poll_seconds, config.stale_seconds) == (6, 300, 7200)
    assert config.params == Params.mainnet()


@pytest.mark.parametrize(
    ("given", "announcers"), [("me.id, you.id", ("me.id", "you.id")), ("me.id,No Name", Params().announcers)]
)
def test_announcers(ini: Path, given: str, announcers: tuple[str, ...]) -> None:
    ini.write_text(REFERENCE.replace("judecn.id,muneeb.id,shea256.id", given))
    assert load(ini.parent).params.announcers == announcers


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.node.rpc_port, config.node.rpc_host, config.api.api_port) == (6264, "127.0.0.1", 6270)
    assert config.node.zonefiles == tmp_path / "zonefiles"
    assert not list(tmp_path.iterdir())


def test_places_are_found_from_the_working_directory(ini: Path) -> None:
    ini.write_text(REFERENCE.replace("/home/someone/.blockstack-server/zonefiles", "elsewhere/zonefiles"))
    assert load(ini.parent).node.zonefiles == ini.parent / "elsewhere" / "zonefiles"


def test_saving_keeps_what_it_does_not_know(ini: Path) -> None:
    before = load(ini.parent)
    save(before)
    assert load(ini.parent) == before
    text = ini.read_text()
    assert "[mine]\nkept = yes" in text
    assert "spv_path = /home/someone/.virtualchain-spv-headers.dat" in text
    assert ini.stat().st_mode & 0o777 == 0o600


def test_percent_signs_survive(ini: Path) -> None:
    ini.write_text(REFERENCE.replace("passwd = blockstacksystem", "passwd = 100%%sure"))
    assert load(ini.parent).bitcoind.passwd == "100%sure"
    save(load(ini.parent))
    assert load(ini.parent).bitcoind.passwd == "100%sure"


def test_test_mode(ini: Path) -> None:
    rules = "\n[environment]\nBLOCKSTACK_TEST = 1\nBLOCKSTACK_TEST_FIRST_BLOCK = 250\nBLOCKSTACK_CORE_NUM_CONFS = 2\n"
    ini.write_text("[blockstack]\nserver_version = 19.0.8.1\n" + rules)
    config = load(ini.parent, extra_rules={"BLOCKSTACK_TESTNET": "1"})
    assert (config.node.rpc_port, config.api.api_port) == (16264, 16268)
    assert (config.confirmations, config.poll_seconds, config.stale_seconds) == (2, 1, 5)
    assert (config.params.first_subdomain_block, config.requests_at_once) == (256, 1000)
    assert config.params == Params.from_reference_env(config.rules)
    assert (config.params.first_block, config.params.network.name) == (250, "testnet")


def test_who_a_node_is_to_its_peers(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = identity_of(load(ini.parent))
    assert known == Identity("127.0.0.1:6264", 6264, ("node.blockstack.org:6264",), (), testnet=False)
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    for host, address in (("<stun>", "127.0.0.1"), ("<host>", "127.0.0.1"), ("me.example", "me.example")):
        ini.write_text(REFERENCE.replace("atlas_hostname = 127.0.0.1", f"atlas_hostname = {host}"))
        assert identity_of(load(ini.parent)).address == f"{address}:6264"
    monkeypatch.setattr(socket, "gethostname", lambda: "nobody.invalid")
    monkeypatch.setattr(socket, "gethostbyname", _unknown)
    ini.write_text(REFERENCE.replace("atlas_hostname = 127.0.0.1", "atlas_hostname = <host>"))
    assert identity_of(load(ini.parent)).address == "127.0.0.1:6264"


def _unknown(_: str) -> str:
    raise OSError("unknown host")


def test_peers_of_a_node_in_test_mode(tmp_path: Path) -> None:
    rules = {"BLOCKSTACK_TEST": "1", "BLOCKSTACK_ATLAS_HOSTNAME": "me.example"}
    assert identity_of(load(tmp_path, extra_rules=rules)) == Identity("me.example:16264", 16264, testnet=True)
    rules["BLOCKSTACK_ATLAS_SEEDS"] = "a.b:1, c.d"
    config = load(tmp_path, extra_rules=rules)
    assert identity_of(config).seeds == ("a.b:1", "c.d")
    assert config.node.atlasdb_path == tmp_path / "atlas.db"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("rpc_port = 6264", "rpc_port = 70000", r"\[blockstack\] rpc_port: expected a port from 1 to 65535, got 70000"),
        ("api_port = 6270", "api_port = x", r"\[blockstack-api\] api_port: expected a number, got 'x'"),
        ("atlas = True", "atlas = perhaps", r"\[blockstack\] atlas: expected true or false, got 'perhaps'"),
        ("atlas_port = 6264", "atlas_port = 65535", "atlas_port: expected a port from 1 to 65534, got 65535"),
        ("atlas_blacklist =", "atlas_blacklist = a.b:1, c:x", "atlas_blacklist: expected host:port, got 'c:x'"),
        ("atlas_seeds = node.blockstack.org:6264", "atlas_seeds = ::1", "atlas_seeds: expected host:port, got '::1'"),
        ("timeout = 300.0", "timeout = nan", r"\[bitcoind\] timeout: expected seconds above 0"),
        ("backup_frequency = 144", "backup_frequency = 0", "backup_frequency: expected at least 1 block"),
        ("enabled = True", "enabled = no", "a node without an index is not supported"),
        ("user = blockstack", "user = %(nobody)s", r"\[bitcoind\] user: "),
        ("[mine]", "[bitcoind]", "expected an INI file"),
        ("kept = yes", "kept", "expected an INI file"),
    ],
)
def test_what_cannot_be_meant(ini: Path, old: str, new: str, complaint: str) -> None:
    ini.write_text(REFERENCE.replace(old, new, 1))
    with pytest.raises(ConfigError, match=complaint) as found:
        load(ini.parent)
    assert str(found.value).startswith(f"{ini}: ")
    assert "\n" not in str(found.value)


# Spec 08 section 10
@pytest.mark.parametrize("version", ["0.17.0", "0.18.0.1", "19.0.1.0", "20.1.2"])
def test_versions_that_are_fine(ini: Path, version: str) -> None:
    ini.write_text(REFERENCE.replace("19.0.8.1", version))
    assert load(ini.parent).node.server_version == version


@pytest.mark.parametrize("version", ["0.16.0", "19.0", "", "a.b.c", "\u0662.0.1"])
def test_versions_that_are_too_old(ini: Path, version: str) -> None:
    ini.write_text(REFERENCE.replace("19.0.8.1", version))
    with pytest.raises(ObsoleteConfig, match=f"server_version is {version!r}, expected '19.0.8.1'"):
        load(ini.parent)
