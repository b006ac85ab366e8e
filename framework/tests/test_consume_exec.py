"""Fixtures given to a foreign implementation: what passes, what fails and how that reads, and what is left of it."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from bns.errors import InvalidInput
from bnslab import cli
from bnslab.fixtures import load
from bnslab.foreign.driving import blocks_of
from bnslab.foreign.protocol import PROTOCOL, End, Hello, NextZonefile, encode
from bnslab.foreign.serving import serve
from bnslab.nodes.inprocess import InProcessNode
from tests.projects import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.params import Params
    from bnslab.fixtures import Fixture
    from bnslab.foreign.protocol import Message
    from bnslab.outputs import Outputs

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "fixtures" / "reference"
OURS = f"{sys.executable} -P -m bnslab answer"

PLAYER = """\
import json, sys
right = iter(json.load(open({answers!r})))
for line in sys.stdin:
    if json.loads(line)["type"] == "end":
        break
    answer = next(right)
    height = answer.get("height")
    {change}
    print(json.dumps(answer), flush=True)
{last}
"""


def core(params: Params, outputs: Outputs) -> Any:
    return InProcessNode(params, outputs), outputs.add


def exchange(fixture: Fixture) -> list[tuple[bytes, bytes]]:
    """All messages of a chain file, each with the answer of our own core."""
    messages: list[Message] = [Hello(PROTOCOL, fixture.scenario, fixture.env, fixture.params.first_block)]
    for block in blocks_of(fixture):
        zonefiles = [entry for entry in fixture.zonefiles if entry.after_height == block.height]
        messages += [block, *(NextZonefile(entry.after_height, entry.base64) for entry in zonefiles)]
    answers: list[bytes] = []
    serve(core, map(encode, messages), answers.append)
    return list(zip(map(encode, [*messages, End()]), [*answers, b""], strict=True))


def right_answers(fixture: Fixture) -> list[Json]:
    """What our own core answers, from greeting to last block."""
    return [msgspec.json.decode(answer) for _, answer in exchange(fixture) if answer]


@pytest.fixture
def told(
    fixture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """What `consume --exec` says of a Python program as the implementation, with the exit status before it."""
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])

    def tell(program: str, *options: str) -> str:
        script = tmp_path / "implementation.py"
        script.write_text(program)
        command = shlex.join([sys.executable, str(script)])
        cache = ["--cache", str(tmp_path / "cache")]
        status = cli.main(["consume", str(fixture), "--exec", command, *cache, *options])
        out, err = capsys.readouterr()
        assert not list((tmp_path / "cache" / "runs").glob("[!.]*"))
        return f"{status} {out}{err}"

    return tell


@pytest.fixture
def changed(told: Callable[..., str], fixture: Path, tmp_path: Path) -> Callable[..., str]:
    """The same for the right answers, changed on their way."""
    answers = tmp_path / "answers.json"
    answers.write_bytes(msgspec.json.encode(right_answers(load(fixture))))
    return lambda change, last="": told(PLAYER.format(answers=str(answers), change=change, last=last))


def test_our_own_core_passes(fixture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bnslab", "consume", str(fixture), str(GOLDEN / "name_pre_reg_up.json.gz"),
         str(GOLDEN / "name_pre_regup_zonefile.json.gz"), "--exec", OURS],
        capture_output=True, text=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    expected = "PASS mine\nPASS name_pre_reg_up\nPASS name_pre_regup_zonefile\n3 passed, 0 failed\n"
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


CHANGES = [
    (
        "if height == 115: answer['serialized_ops'][0] = answer['serialized_ops'][0].replace(',6:640000', ',6:640001')",
        r"block 115 operations: expected ::8:foo.* got ::8:foo.* \(differ in op_fee: '640000' against '640001'\)",
    ),
    (
        "if height == 115: answer.update(serialized_ops=[], rejected=[{'txid': TXID, 'reason': 'FEE_TOO_LOW'}])",
        r"block 115 operations: expected ::8:foo.* got no such operation \(there: rejected \w{64}: FEE_TOO_LOW\)",
    ),
    ("if height == 113: answer['ops_hash'] = '00'", r"consensus: block 113 ops hash: expected \w{64} got 00\n"),
    (
        "if height == 113: answer.update(consensus_hash='11'); answer.pop('serialized_ops')",
        r"consensus: block 113 consensus hash: expected \w{32} got 11 \(expected operations: !:.*\)\n",
    ),
    (
        "if height == 116: answer['rejected'][0]['reason'] = 'NAME_EXPIRED'",
        r"consensus: block 116 rejections: expected \['NOT_OWNER'\] got \['NAME_EXPIRED'\]\n",
    ),
    (
        "if height == 116: answer['rejected'] = [{'txid': '00'}]",
        r"consensus: block 116 rejected transactions: expected \['\w{64}'\] got \['00'\]\n",
    ),
    ("if height == 112: answer['height'] = 111", "protocol: block 112: expected height 112 got height 111; its log"),
    ("if height == 112: answer = {'type': 'zonefile'}", "block 112: expected an answer of type block got zonefile;"),
    (
        "if height == 112: answer = [1]",
        r"protocol: block 112: expected an answer of the protocol got '\[1\]': Expected",
    ),
    ("if height == 112: del answer['ops_hash']", "expected an answer of the protocol got '.*\\.\\.\\.': .*`ops_hash`"),
    ("answer['protocol'] = 2", "protocol: hello: expected protocol 1 got protocol 2;"),
    (
        "if height == 112: answer = {'type': 'error', 'message': 'no idea'}",
        "protocol: block 112: expected an answer got the error: no idea;",
    ),
]


@pytest.mark.parametrize(("change", "pattern"), CHANGES)
def test_a_wrong_answer_is_a_failure(change: str, pattern: str, changed: Callable[..., str], fixture: Path) -> None:
    content = msgspec.json.decode(gzip.decompress(fixture.read_bytes()))
    txid = re.search(r"64:(\w{64})", content["expected"]["serialized_ops"]["115"][0])
    assert txid is not None
    out = changed(change.replace("TXID", repr(txid[1])))
    assert out.startswith("1 FAIL mine: ")
    assert re.search(pattern, out), out
    assert out.endswith("0 passed, 1 failed\n")


def test_hashes_alone_are_enough(changed: Callable[..., str]) -> None:
    bare = "answer.pop('serialized_ops', 0), answer.pop('rejected', 0)"
    assert changed(bare) == "0 PASS mine\n1 passed, 0 failed\n"


ENDS = [
    (
        "import sys\nsys.exit('no licence')",
        r"hello: expected an answer got the implementation ended: exit status 1; .*no ",
    ),
    ("import os\nos.kill(os.getpid(), 9)", "got the implementation ended: signal SIGKILL; its log is empty"),
    ("input()\nprint('hm')", "hello: expected an answer of the protocol got 'hm': JSON is malformed"),
    ("print('\\udcff\\x00')", "hello: expected an answer"),
    ("input()", "hello: expected an answer got the implementation ended: exit status 0; its log is empty"),
]


@pytest.mark.parametrize(("program", "pattern"), ENDS)
def test_an_early_end_is_a_failure(program: str, pattern: str, told: Callable[..., str]) -> None:
    out = told(program)
    assert out.startswith("1 FAIL mine: protocol: ")
    assert re.search(pattern, out, re.DOTALL), out


def test_what_comes_after_the_end(changed: Callable[..., str]) -> None:
    assert "end: expected exit status 0 and nothing more got the implementation told more" in changed("", "print('x')")
    assert "end: expected exit status 0 and nothing more got the implementation ended: exit status 7" in changed(
        "", "sys.exit(7)"
    )


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("import signal\nsignal.pause()", "told nothing for 0.2 s"),
        ("import os, signal\nos.close(1)\nsignal.pause()", "told nothing for 0.2 s"),
        ("import os, signal\nos.close(0)\nsignal.pause()", "told nothing for 0.2 s"),
    ],
)
def test_who_does_not_answer_in_time(program: str, problem: str, told: Callable[..., str]) -> None:
    out = told(program, "--within", "0.2")
    assert out == (
        f"1 FAIL mine: protocol: hello: expected an answer got the implementation {problem}; its log is empty\n"
        "0 passed, 1 failed\n"
    )


NEVER_READS = """\
import os, signal
print('{"type": "hello", "protocol": 1}', flush=True)
signal.pause()
"""


def test_who_takes_no_input_is_not_waited_for(fixture: Path, told: Callable[..., str]) -> None:
    content = msgspec.json.decode(gzip.decompress(fixture.read_bytes()))
    content["env"]["X"] = "x" * 1_000_000
    fixture.write_bytes(gzip.compress(msgspec.json.encode(content)))
    assert "hello: expected an answer got the implementation took no more input for 0.2 s" in told(
        NEVER_READS, "--within", "0.2"
    )


def test_an_unusable_command_is_an_error_of_the_users(fixture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*options: str) -> str:
        assert cli.main(["consume", str(fixture), *options]) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        return err

    assert "--exec: expected a command whose program is there and can be executed, got 'nowhere x'" in error(
        "--exec", "nowhere x"
    )
    assert "got ''" in error("--exec", "")
    assert "--exec: expected words as a shell reads them (No closing quotation)" in error("--exec", "'x")
    assert "--only beside --exec: expected consensus" in error("--exec", "cat", "--only", "tables")
    assert "--over beside --exec: expected consensus" in error("--exec", "cat", "--over", "calls")
    assert "--within" in error("--exec", "cat", "--within", "0")


GRANDCHILD = """\
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", "MARK"])
print("MARK is there", file=sys.stderr, flush=True)
open("REACHED", "w").close()
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_harness(number: signal.Signals, fixture: Path, tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    script = tmp_path / "implementation.py"
    script.write_text(GRANDCHILD.replace("MARK", str(script)).replace("REACHED", str(reached)))
    command = [sys.executable, "-P", "-m", "bnslab", "consume", str(fixture), "--cache", str(tmp_path / "cache")]
    exec_ = shlex.join([sys.executable, str(script)])
    with subprocess.Popen([*command, "--exec", exec_], env=ENVIRONMENT, stderr=subprocess.DEVNULL) as harness:
        reached.read_bytes()
        family = [
            each for each in psutil.Process(harness.pid).children(recursive=True) if str(script) in each.cmdline()
        ]
        assert len(family) == 3, "the supervisor, the implementation and its child"
        harness.send_signal(number)
        harness.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


@pytest.mark.foreign
def test_the_historical_node_passes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    files = [GOLDEN / "name_pre_regup_zonefile.json.gz", *sorted((GOLDEN / "fuzz").glob("*.json.gz"))[:1]]
    ours = ROOT / "fixtures" / "scenarios" / "quickstart"
    status = cli.main(["consume", str(ours), *map(str, files), "--exec", f"{OURS} --node reference"])
    assert (capsys.readouterr().out.splitlines()[-1], status) == ("3 passed, 0 failed", 0)


@pytest.mark.parametrize(
    ("lines", "told_of"),
    [
        ([b"nonsense"], "message: expected one of the protocol: .*, got 'nonsense'"),
        ([b'{"type":"zonefile","after_height":1,"base64":""}'], "first message: expected hello, got 'NextZonefile'"),
        ([encode(Hello(2, "it", {}, 111))], "protocol: expected 1, got 2"),
        ([encode(Hello(1, "it", {}, 5))], "first_block: expected .*, which env says, got 5"),
    ],
)
def test_what_is_no_conversation_is_refused(lines: list[bytes], told_of: str) -> None:
    with pytest.raises(InvalidInput, match=told_of):
        serve(core, lines, lambda _: None)


def shortened(value: Any) -> Any:
    """As the docs show it."""
    if isinstance(value, str):
        return value if len(value) <= 40 else value[:16] + "..."
    if isinstance(value, dict):
        if "env" in value:
            value["env"] = {"BLOCKSTACK_TEST": value["env"]["BLOCKSTACK_TEST"], "...": "..."}
        return {shortened(key): shortened(member) for key, member in value.items()}
    return [shortened(member) for member in value] if isinstance(value, list) else value


def test_the_exchange_in_the_docs() -> None:
    text = (ROOT / "docs" / "fixture-format.md").read_text()
    shown = re.findall(r"^([<>]) (\{.*\})$", text, re.MULTILINE)
    lines = []
    for message, answer in exchange(load(GOLDEN / "name_pre_regup_subdomain.json.gz")):
        told = [("<", answer)] if answer else []
        for side, line in [(">", message), *told]:
            lines.append((side, msgspec.json.encode(shortened(msgspec.json.decode(line))).decode()))
    places = [lines.index(line) for line in shown]
    assert (places, len(shown)) == (sorted(places), 7)
