"""The command line: which commands there are, what they hand to pytest, how errors are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import bnslab.bitcoind
from bns.errors import InvalidInput
from bnslab import cli
from bnslab.bitcoind import BitcoindNotFound, InstallError
from bnslab.chain import choice
from bnslab.commands import _chain, bench
from bnslab.commands._checkout import checkout, resolve
from bnslab.commands._runner import NO_REWRITE_WARNING, usable_cores
from bnslab.commands.run import split_passed
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "framework")])}


@pytest.fixture
def pytest_arguments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a command hands to pytest, which is not run."""
    collected: list[str] = []

    def record(arguments: list[str], plugins: list[object]) -> int:
        assert arguments[-2:] == NO_REWRITE_WARNING
        collected.extend(arguments[:-2])
        return 5

    monkeypatch.setattr(pytest, "main", record)
    return collected


def have_bitcoind(monkeypatch: pytest.MonkeyPatch, *, found: bool, installable: bool = False) -> list[str]:
    """Make bnslab.bitcoind find and install as wanted; the list that is returned records the calls."""
    calls: list[str] = []

    def find(*_: object) -> None:
        calls.append("find")
        if not found:
            raise BitcoindNotFound("no usable bitcoind: none anywhere")

    def install(_cache: Path, report: Callable[[str], None]) -> None:
        calls.append("install")
        report("release: trying")
        if not installable:
            raise InstallError("no source can supply a bitcoind")

    monkeypatch.setattr(bnslab.bitcoind, "find", find)
    monkeypatch.setattr(bnslab.bitcoind, "install", install)
    return calls


def run_module(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "bnslab", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def test_without_arguments_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([], prog="./lab") == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: ./lab ")
    for name in ("bench", "bitcoind", "doctor", "fill", "run", "test"):
        assert f"\n  {name} " in out
    assert "..." not in out.partition("Commands:")[2], "a first sentence is too long for the list"


def test_help_and_version_do_not_import_what_is_heavy() -> None:
    code = """
    import sys
    from bnslab.cli import main
    assert main(["--help"]) == main(["--version"]) == main(["run", "--help"]) == 0
    heavy = {"pytest", "_pytest", "coincurve", "orjson", "rich", "sqlite3", "starlette", "bnslab.bitcoind"}
    sys.exit(", ".join(heavy & set(sys.modules)) or 0)
    """
    command = [sys.executable, "-P", "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", ["bns", "bnslab"])
def test_importing_gives_no_warning(package: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {package}"], env=ENVIRONMENT, check=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rum"], "rum"),
        (["run", "--nope"], "--nope"),
        (["run", "-n", "many"], "many"),
        (["run", "--chain", "moon"], "moon"),
        (["run", "no/such/place"], "no such file or directory: 'no/such/place'"),
        (["run", "no/such/place.py::test_it"], "no such file or directory: 'no/such/place.py'"),
        (["bench", "no-such"], "no benchmark 'no-such'"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments, prog="./lab") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("./lab: ")
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_mistake_of_a_real_process_leaves_no_traceback(tmp_path: Path) -> None:
    done = run_module("run", "no/such/place", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"./lab: no such file or directory: 'no/such/place' (looked in {tmp_path} and in {ROOT})\n"


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (LabError("the chain is gone"), 2, "bnslab: the chain is gone\n"),
        (InvalidInput("name", "Foo", "lower case"), 2, "bnslab: name: expected lower case, got 'Foo'\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "bnslab: Permission denied: /x\n"),
        (OSError("no text of the system"), 2, "bnslab: no text of the system\n"),
        (KeyboardInterrupt(), 130, "\n"),
    ],
)
def test_errors_become_messages(
    error: BaseException, status: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: broken)
    assert cli.main(["broken"]) == status
    assert capsys.readouterr() == ("", told)


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise KeyError("bug")

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: broken)
    with pytest.raises(KeyError):
        cli.main(["broken"])


def test_ctrl_c_is_quiet_with_status_130(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "reached")
    code = f"""
    import pathlib, signal, sys
    from bnslab import cli
    from bnslab.commands import bench
    bench.checkout = lambda: pathlib.Path({str(tmp_path)!r})
    sys.exit(cli.main(["bench", "endless"]))
    """
    (tmp_path / "benchmarks").mkdir()
    endless = (
        f"import signal\ndef main(argv):\n    open({str(tmp_path / 'reached')!r}, 'w').close()\n    signal.pause()\n"
    )
    (tmp_path / "benchmarks" / "endless.py").write_text(endless)
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        (tmp_path / "reached").read_text()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


def test_paths_are_found_here_first_then_in_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "framework").mkdir()
    assert checkout() == ROOT
    assert resolve(["framework", "core/bns"]) == [str(tmp_path / "framework"), str(ROOT / "core" / "bns")]
    assert resolve([f"{ROOT}/lab::test[a::b]"]) == [f"{ROOT}/lab::test[a::b]"]
    with pytest.raises(LabError, match="no such file or directory: ''"):
        resolve([""])


def test_run_hands_all_to_pytest_and_returns_its_status(
    pytest_arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    have_bitcoind(monkeypatch, found=True)
    options = [
        "-n",
        "3",
        "-k",
        "renew",
        "--trace",
        "--shard",
        "1/2",
        "--failed-first",
        "--cache",
        "c",
        "--bitcoind",
        "b",
    ]
    assert cli.main(["run", "core/bns", *options, "--", "-x", "--maxfail=2"]) == 5
    expected = [str(ROOT / "core" / "bns"), "--chain", "bitcoind", "--lab-cache", str(tmp_path / "c")]
    expected += ["--bitcoind", str(tmp_path / "b"), "-n", "3", "--dist", "loadgroup", "--lab-slowest", "-k", "renew"]
    expected += ["--shard", "1/2", "--failed-first", "--lab-trace", "-p", "no:schemathesis"]
    kept = len(expected)
    assert pytest_arguments[:kept] == expected
    assert pytest_arguments[kept : kept + 2] == ["-o", f"cache_dir={tmp_path / 'c' / 'pytest'}"]
    assert pytest_arguments[kept + 2].startswith(f"--basetemp={tmp_path / 'c' / 'runs'}")
    assert pytest_arguments[kept + 3 :] == ["-x", "--maxfail=2"]


def test_run_without_a_path_takes_all_scenarios(pytest_arguments: list[str]) -> None:
    assert cli.main(["run", "--chain", "memory"]) == 5
    assert pytest_arguments[:3] == [str(ROOT / "scenarios"), "--chain", "memory"]
    assert "-n" not in pytest_arguments


def test_what_follows_the_dashes_is_passed_on() -> None:
    assert split_passed(("a", "b::c", "-x", "d")) == (["a", "b::c"], ["-x", "d"])
    assert split_passed(("a",)) == (["a"], [])


@pytest.mark.parametrize(("options", "last"), [([], "--fill"), (["--update"], "--fill-update")])
def test_fill_chooses_the_plugin_option(pytest_arguments: list[str], options: list[str], last: str) -> None:
    assert cli.main(["fill", "core/bns", "--chain", "memory", *options]) == 5
    assert pytest_arguments[0] == str(ROOT / "core" / "bns")
    assert pytest_arguments[-1] == last


def test_test_runs_all_suites_with_workers(pytest_arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    have_bitcoind(monkeypatch, found=True)
    assert cli.main(["test", "-n", "2"]) == 5
    assert pytest_arguments[:3] == [str(ROOT / suite) for suite in ("core/tests", "framework/tests", "scenarios")]
    assert {"-rs", "bnslab.commands._optional", "-n", "loadgroup"} < set(pytest_arguments)
    pytest_arguments.clear()
    assert cli.main(["test", "--all"]) == 5
    assert "bnslab.commands._optional" not in pytest_arguments
    assert ("-n" in pytest_arguments) == (usable_cores() > 1)


def test_a_missing_bitcoind_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = have_bitcoind(monkeypatch, found=False, installable=True)
    assert _chain.chain_arguments(None, None, tmp_path)[:2] == ["--chain", "bitcoind"]
    assert calls == ["find", "install"]
    assert capsys.readouterr().err.splitlines() == ["no bitcoind found, installing one", "release: trying"]


def test_without_any_bitcoind_the_kernel_serves_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    have_bitcoind(monkeypatch, found=False)
    monkeypatch.setattr(choice, "find_spec", lambda name: name)
    assert _chain.chain_arguments(None, None, tmp_path)[:2] == ["--chain", "kernel"]
    assert "running on libbitcoinkernel" in capsys.readouterr().err.splitlines()[-1]


def test_without_bitcoind_and_kernel_it_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    have_bitcoind(monkeypatch, found=False)
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    with pytest.raises(InstallError):
        _chain.chain_arguments(None, None, tmp_path)


def test_what_was_asked_for_is_not_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = have_bitcoind(monkeypatch, found=False)
    monkeypatch.setattr(choice, "find_spec", lambda name: name)
    with pytest.raises(InstallError):
        _chain.chain_arguments("bitcoind", None, tmp_path)
    calls.clear()
    with pytest.raises(BitcoindNotFound):
        _chain.chain_arguments(None, tmp_path / "mine", tmp_path)
    assert calls == ["find"]
    calls.clear()
    assert _chain.chain_arguments("kernel", None, tmp_path)[:2] == ["--chain", "kernel"]
    assert calls == []


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that answers as a bitcoind does."""
    path = tmp_path / "bitcoind"
    path.write_text(
        '#!/bin/sh\n[ "$1" = -version ] && echo "Bitcoin Core daemon version v28.1.0" || echo "  -regtest"\n'
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("command", "told"), [(["version"], "core 28.1.0\n"), (["where"], "{program} (given)\n"), ([], None)]
)
def test_bitcoind_says_where_and_which(
    command: list[str],
    told: str | None,
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--bitcoind", str(program), "--cache", str(tmp_path)]
    if told is None:
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        options, told = [], "{program} (PATH)\n"
    assert cli.main(["bitcoind", *command, *options]) == 0
    assert capsys.readouterr().out == told.format(program=program)


def test_doctor_tells_what_is_missing(tmp_path: Path, program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--cache", str(tmp_path), "--bitcoind", str(program)]) == 0
    assert "core 28.1.0" in capsys.readouterr().out
    assert cli.main(["doctor", "--cache", str(tmp_path), "--bitcoind", str(tmp_path / "none")]) == 1
    assert "missing   bitcoind" in capsys.readouterr().out


BENCHMARK = """\
import json, os, pathlib, sys

def main(argv):
    print(f"{__name__} {argv}")
    if "--json" in argv:
        pathlib.Path(argv[argv.index("--json") + 1]).write_text(json.dumps({"ms": 1}))
    return 3
"""


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "benchmarks"
    directory.mkdir()
    for name in ("one", "two", "_shared"):
        (directory / f"{name}.py").write_text(BENCHMARK)
    monkeypatch.setattr(bench, "checkout", lambda: tmp_path)
    return directory


def test_bench_runs_one(benchmarks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "figures.json"
    assert cli.main(["bench", "one", "--json", str(output), "--", "--runs", "7"]) == 3
    assert capsys.readouterr().out == f"benchmark_one ['--json', '{output}', '--runs', '7']\n"
    assert output.read_text() == '{"ms": 1}'


def test_bench_runs_all_in_fresh_processes(
    benchmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[list[str]] = []

    def call(command: list[str]) -> int:
        started.append(command)
        return len(started) - 1

    monkeypatch.setattr(subprocess, "call", call)
    assert cli.main(["bench", "--json", str(tmp_path / "all")]) == 1
    outputs = [["bench", name, "--json", str(tmp_path / "all" / f"{name}.json")] for name in ("one", "two")]
    assert [command[-4:] for command in started] == outputs
    assert capsys.readouterr().out == "one:\ntwo:\n"


OPTIONAL_TESTS = """\
import pytest

def test_plain():
    pass

@pytest.mark.network
@pytest.mark.browser
def test_far():
    raise AssertionError

@pytest.mark.container
class TestBox:
    def test_in_it(self):
        raise AssertionError
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_what_needs_more_is_skipped_with_its_reason(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(OPTIONAL_TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    network\n    browser\n    container\n")
    options = ["-p", "bnslab.commands._optional", "-p", "no:cacheprovider", "-rs", *workers]
    command = [sys.executable, "-m", "pytest", str(tmp_path), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stdout
    assert "needs the network, needs a browser: ./lab test --all" in done.stdout
    assert "needs a container engine: ./lab test --all" in done.stdout
    assert "1 passed, 2 skipped" in done.stdout.splitlines()[-1]
