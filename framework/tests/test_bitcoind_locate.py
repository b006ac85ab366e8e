"""A bitcoind is found in the right order, asked what it is, and given the options it knows."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bnslab.bitcoind import BitcoindNotFound, PortPool, PortTaken, find, probe_flags
from bnslab.bitcoind.flags import option_name
from bnslab.bitcoind.locate import command, entries
from bnslab.bitcoind.ports import RANGES, is_free

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind

HELP = """\
Options:

  -server
       Accept command line and JSON-RPC commands

  -debuglogfile=<file>
       See -nothing here, which is no option

  -dbcache=<n>
       Maximum database cache size <n> MiB
"""


def fake(program: Path, version: str = "Bitcoin Core daemon version v28.2.0", *, status: int = 0) -> Path:
    """A program that answers like a bitcoind and counts its calls in a file beside it."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        f'#!/bin/sh\necho "$1" >> "$0.calls"\n'
        f"case $1 in -version) echo '{version}';; -help) cat <<'END'\n{HELP}END\n;; esac\nexit {status}\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_order_is_given_path_cache(cache: Path, tmp_path: Path) -> None:
    cached = fake(cache / "bitcoind" / "release-1" / "bin" / "bitcoind")
    on_path = fake(tmp_path / "path" / "bitcoind")
    given = fake(tmp_path / "mine")
    assert find(given, cache, path=str(on_path.parent)).argv == (str(given),)
    assert find(None, cache, path=str(on_path.parent)).argv == (str(on_path),)
    assert find(None, cache, path="").argv == (str(cached),)
    assert [find(p, cache, path=str(on_path.parent)).source for p in (given, None)] == ["given", "PATH"]
    assert find(None, cache, path="").source == "release-1"


def test_version_and_flavour(cache: Path, tmp_path: Path) -> None:
    core = find(fake(tmp_path / "core", "Bitcoin Core version v25.0.0"), cache)
    assert (core.flavour, core.version) == ("core", "25.0.0")
    knots = find(fake(tmp_path / "knots", "Bitcoin Knots daemon version v29.4.3.knots20260508"), cache)
    assert (knots.flavour, knots.version) == ("knots", "29.4.3.knots20260508")
    assert core.options == {"server", "debuglogfile", "dbcache"}
    assert core.program == tmp_path / "core"


def test_answers_are_remembered_until_the_file_changes(cache: Path, tmp_path: Path) -> None:
    program = fake(tmp_path / "bitcoind")
    calls = tmp_path / "bitcoind.calls"
    assert find(program, cache) == find(program, cache)
    assert calls.read_text().split() == ["-version", "-help"]
    fake(program, "Bitcoin Core version v30.99.0")
    assert find(program, cache).version == "30.99.0"
    for note in (cache / "bitcoind" / "probes").iterdir():
        note.write_text("{")
    assert find(program, cache).version == "30.99.0"


@pytest.mark.parametrize(
    ("version", "status", "why"),
    [
        ("Bitcoin Core version v24.1.0", 0, "is version 24.1.0: 25 or later is needed"),
        ("bash, version 5.2", 0, "is no bitcoind: it calls itself 'bash, version 5.2'"),
        ("", 0, "is no bitcoind: it calls itself ''"),
        ("Bitcoin Core version v28.0.0", 3, "does not run: exit status 3"),
    ],
)
def test_a_given_program_that_will_not_do(cache: Path, tmp_path: Path, version: str, status: int, why: str) -> None:
    program = fake(tmp_path / "bitcoind", version, status=status)
    with pytest.raises(BitcoindNotFound, match=f"{program} {why}"):
        find(program, cache)


def test_a_given_program_that_is_not_there_or_not_a_program(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(BitcoindNotFound, match="no bitcoind at /nowhere: it is not an executable file"):
        find(tmp_path.__class__("/nowhere"), cache)
    garbage = tmp_path / "bitcoind"
    garbage.write_bytes(b"\x7fELF garbage")
    garbage.chmod(0o755)
    with pytest.raises(BitcoindNotFound, match="does not run: Exec format error"):
        find(garbage, cache)


def test_an_old_one_on_path_does_not_hide_the_cache(cache: Path, tmp_path: Path) -> None:
    old = fake(tmp_path / "path" / "bitcoind", "Bitcoin Core version v0.21.1")
    with pytest.raises(BitcoindNotFound, match=r"version 0\.21\.1: 25 or later is needed; install one with"):
        find(None, cache, path=str(old.parent))
    fake(cache / "bitcoind" / "debian-1" / "bin" / "bitcoind")
    assert find(None, cache, path=str(old.parent)).source == "debian-1"


def test_nothing_anywhere(cache: Path) -> None:
    with pytest.raises(BitcoindNotFound, match=f"none on PATH, none in {cache}; install one with: bnslab bitcoind"):
        find(None, cache, path="")


def test_an_entry_may_be_moved_and_an_unfinished_one_is_not_seen(cache: Path, tmp_path: Path) -> None:
    fake(cache / "bitcoind" / "debian-1" / "bin" / "bitcoind")
    fake(cache / "bitcoind" / ".partial-1" / "bin" / "bitcoind")
    loader = fake(cache / "bitcoind" / "debian-1" / "lib" / "ld-linux-x86-64.so.2")
    moved = tmp_path / "elsewhere"
    cache.rename(moved)
    (entry,) = entries(moved)
    libraries = moved / "bitcoind" / "debian-1" / "lib"
    program = str(entry / "bin" / "bitcoind")
    assert command(entry) == (str(libraries / loader.name), "--library-path", str(libraries), program)


def test_only_known_options_are_used(cache: Path, tmp_path: Path) -> None:
    flags = probe_flags(find(fake(tmp_path / "bitcoind"), cache))
    assert flags.arguments == ("-server=1", "-nodebuglogfile", "-dbcache=4")
    assert "-blocksxor=0" in flags.unknown
    assert "softwareexpiry=0" in flags.settings


def test_the_real_one_knows_what_matters(bitcoind_binary: Bitcoind) -> None:
    unknown = {option_name(flag) for flag in probe_flags(bitcoind_binary).unknown}
    assert unknown <= {"blocksxor", "permitbaremultisig", "datacarriersize", "checkaddrman"}
    assert {"startupnotify", "mocktime", "rpcbind", "printtoconsole"} <= bitcoind_binary.options


def test_ranges_have_no_port_in_common() -> None:
    seen = [{pool.take() for _ in range(120)} for pool in (PortPool(n, free=lambda _: True) for n in range(100))]
    assert all(len(ports) == 120 for ports in seen)
    assert len(set().union(*seen)) == 12_000
    assert (min(map(min, seen)), max(map(max, seen))) == (20_000, 31_999)


def test_a_claimed_range_is_not_shared() -> None:
    def first(number: int) -> int:
        return 90 if number == RANGES else 0

    claimed = [PortPool.claimed(choose=first) for _ in range(3)]
    ranges = [(pool.take() - 20_000) // 120 for pool in claimed]
    assert len(set(ranges)) == 3
    command = "from bnslab.bitcoind import PortPool; print(PortPool.claimed(choose=lambda n: n * 9 // 10).take())"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert (int(done.stdout) - 20_000) // 120 not in ranges
    del claimed[0]
    assert (PortPool.claimed(choose=first).take() - 20_000) // 120 == ranges[0]


def test_ports_in_use_are_passed_over() -> None:
    pool = PortPool(0, choose=lambda n: n - 1, free=lambda port: port % 2 == 0)
    assert [pool.take() for _ in range(3)] == [20_000, 20_002, 20_004]
    with pytest.raises(PortTaken, match=r"20000, 20001, .*20119 are taken"):
        PortPool(0, free=lambda _: False).take()


def test_a_listener_and_a_lingering_connection() -> None:
    with socket.create_server(("127.0.0.1", PortPool(98).take())) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, _ = listener.accept()
            server.close()
            client.recv(1)
    # The closed connection still occupies the port, which does not keep a new server from it.
    assert is_free(port)


def test_a_range_that_there_is_not() -> None:
    with pytest.raises(InvalidInput, match="number of a range of ports: expected a number from 0 to 99, got 100"):
        PortPool(100)
