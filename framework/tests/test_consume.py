"""Fixtures replayed into the core: what passes, what fails and how that reads, with exit statuses."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bns.errors import InvalidInput
from bnslab import cli
from bnslab.consume import PARTS, consume, find_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "framework")])}
REFERENCE = ROOT / "fixtures" / "reference"
FAIL = re.compile(r"FAIL [\w.-]+: [\w ]+: [^:]+: expected .* got .*")

CORE = ("consensus", "tables")

Json = dict[str, Any]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """A copy of a fixture that the reference made."""
    path = tmp_path / "name_pre_reg.json.gz"
    path.write_bytes((REFERENCE / path.name).read_bytes())
    return path


def content_of(path: Path) -> Json:
    content: Json = msgspec.json.decode(gzip.decompress(path.read_bytes()))
    return content


def changed(path: Path, change: Callable[[Json], object]) -> Path:
    content = content_of(path)
    change(content)
    path.write_bytes(gzip.compress(msgspec.json.encode(content)))
    return path


def failure(path: Path) -> str:
    """The one line that tells of a failure."""
    (line,) = str(consume(path, CORE)).splitlines()
    assert FAIL.fullmatch(line), line
    return line


def test_what_was_recorded_passes(fixture: Path, reference: Path) -> None:
    assert [str(consume(path, CORE)) for path in (fixture, reference)] == ["PASS mine", "PASS name_pre_reg"]


@pytest.mark.parametrize(("height", "digit"), [(111, 0), (114, 31), (116, 16)])
@pytest.mark.parametrize("kind", ["consensus", "ops"])
def test_one_digit_of_a_hash(fixture: Path, kind: str, height: int, digit: int) -> None:
    right = content_of(fixture)["expected"][f"{kind}_hashes"][str(height)]
    wrong = right[:digit] + ("0" if right[digit] != "0" else "1") + right[digit + 1 :]
    changed(fixture, lambda content: content["expected"][f"{kind}_hashes"].update({str(height): wrong}))
    assert failure(fixture) == f"FAIL mine: consensus: block {height} {kind} hash: expected {wrong} got {right}"


def test_the_first_difference_counts(fixture: Path) -> None:
    def change(content: Json) -> None:
        for height in ("113", "115", "116"):
            content["expected"]["consensus_hashes"][height] = "00" * 16

    assert "consensus: block 113 consensus hash: expected 0000" in failure(changed(fixture, change))


def test_an_operation_in_another_form(reference: Path) -> None:
    height, (right, *_) = next(iter(content_of(reference)["expected"]["serialized_ops"].items()))
    wrong = right.replace("4:test", "4:tesd") if "4:test" in right else right[:-1] + "z"
    changed(reference, lambda content: content["expected"]["serialized_ops"][height].__setitem__(0, wrong))
    line = failure(reference)
    assert line.startswith(f"FAIL name_pre_reg: consensus: block {height} operations: expected {wrong} got {right} (")
    assert "(differ in " in line


@pytest.mark.parametrize("garbage", ["", "garbage", ":::", "?:9999:x"])
def test_an_operation_that_is_none(fixture: Path, garbage: str) -> None:
    changed(fixture, lambda content: content["expected"]["serialized_ops"]["114"].__setitem__(0, garbage))
    assert f"consensus: block 114 operations: expected {garbage or 'no such operation'} got ?:" in failure(fixture)


def test_an_operation_too_few_and_too_many(fixture: Path) -> None:
    (operation,) = content_of(fixture)["expected"]["serialized_ops"]["115"]
    changed(fixture, lambda content: content["expected"]["serialized_ops"].pop("115"))
    assert f"block 115 operations: expected no such operation got {operation}" in failure(fixture)
    changed(fixture, lambda content: content["expected"]["serialized_ops"].update({"115": [operation] * 2}))
    assert f"block 115 operations: expected {operation} got no such operation" in failure(fixture)


def test_a_refusal_goes_with_the_missing_operation(fixture: Path) -> None:
    changed(fixture, lambda content: content["expected"]["serialized_ops"].update({"116": ["~:x"]}))
    refusal = r"here: rejected \w{64}: NOT_OWNER: .*, by spec 02 section 7\.6 W2"
    assert re.search(rf"got no such operation \({refusal}", failure(fixture))


def test_another_reason_of_a_refusal(fixture: Path) -> None:
    changed(fixture, lambda content: content["expected"]["rejected_ops"]["116"][0].update(reason="NAME_EXPIRED"))
    assert failure(fixture) == (
        "FAIL mine: consensus: block 116 rejections: expected ['NAME_EXPIRED'] got ['NOT_OWNER']"
    )


@pytest.mark.parametrize("tip", [0, 115, 117])
def test_another_end(fixture: Path, tip: int) -> None:
    changed(fixture, lambda content: content["expected"].update(tip=tip))
    assert failure(fixture) == f"FAIL mine: consensus: last block: expected {tip} got 116"


def test_other_rules(fixture: Path) -> None:
    changed(fixture, lambda content: content["env"].update({"BLOCKSTACK_EPOCH_3_PRICE_MULTIPLIER": "1.0"}))
    line = failure(fixture)
    assert "block 115 operations: expected ::8:foo.test" in line
    assert "FEE_TOO_LOW: foo.test: paid 640000, price 6400000.0" in line


def test_an_output_that_nobody_knows(fixture: Path) -> None:
    def forget(content: Json) -> None:
        # without the block that fills the wallets, renumbered so that the rest still hangs together
        content["blocks"] = content["blocks"][1:]
        content["first_block"] = 112
        content["env"]["BLOCKSTACK_TEST_FIRST_BLOCK"] = "112"

    line = failure(changed(fixture, forget))
    assert re.search(r"consensus: block 11\d: expected a block to index got MissingPrevout\(", line)


def test_a_cell_of_a_table(reference: Path) -> None:
    def change(content: Json) -> None:
        table = content["expected"]["tables"]["name_records"]
        table["rows"][0][table["columns"].index("address")] = "somebody"

    line = failure(changed(reference, change))
    assert line.startswith(
        'FAIL name_pre_reg: tables: name_records (1 rows expected, 1 there): expected {"address": "s'
    )
    assert str(consume(reference, ["consensus"])) == "PASS name_pre_reg"


@pytest.mark.parametrize("tables", [5, [], {"history": None}, {"history": {"columns": ["nonsense"], "rows": []}}])
def test_tables_that_are_none(reference: Path, tables: object) -> None:
    changed(reference, lambda content: content["expected"].update(tables=tables))
    verdict = consume(reference, CORE)
    assert (
        verdict.failure is None
        if tables == []
        else failure(reference).startswith(
            "FAIL name_pre_reg: tables: members of the expected part: expected golden format 1 got "
        )
    )


def test_the_base_chain_must_hang_together(tmp_path: Path) -> None:
    base = tmp_path / "base.json.gz"
    base.write_bytes((REFERENCE / base.name).read_bytes())
    assert str(consume(base)) == "PASS base"

    def leave_out_one(content: Json) -> None:
        del content["blocks"][9]
        for number, block in enumerate(content["blocks"], 1):
            block["height"] = number

    blocks = content_of(base)["blocks"]
    line = failure(changed(base, leave_out_one))
    assert line == (f"FAIL base: file: block 10 previous block: expected {blocks[8]['hash']} got {blocks[9]['hash']}")


def test_damage_is_told_in_one_line(fixture: Path) -> None:
    fixture.write_bytes(fixture.read_bytes()[:-20])
    assert re.fullmatch("FAIL mine: file: damaged gzip data: .*", str(consume(fixture)))


# Finding files


def test_files_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/two.json.gz", "a/deep/one.json.gz", "c.json.gz", "d.json", "e.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_fixtures([tmp_path / "d.json", tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "d.json",
        "a/deep/one.json.gz",
        "b/two.json.gz",
        "c.json.gz",
    ]


@pytest.mark.parametrize("name", ["none", "none.json.gz", "empty"])
def test_where_no_file_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=f"fixture: expected a chain file, .* got '{tmp_path / name}'"):
        find_fixtures([tmp_path / name])


# The command


def test_the_command_counts_and_tells_by_its_status(
    fixture: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["consume", "--only", "consensus,tables", str(fixture.parent)]) == 0
    assert capsys.readouterr() == ("PASS mine\nPASS name_pre_reg\n2 passed, 0 failed\n", "")
    changed(fixture, lambda content: content["expected"].update(tip=3))
    assert cli.main(["consume", "--only", "consensus", str(reference), str(fixture), str(reference)]) == 1
    assert capsys.readouterr() == (
        "PASS name_pre_reg\n"
        "FAIL mine: consensus: last block: expected 3 got 116\n"
        "PASS name_pre_reg\n"
        "2 passed, 1 failed\n",
        "",
    )


def test_parts_can_be_chosen(reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(reference, lambda content: content["expected"].update(tables={"history": {"columns": ["op"], "rows": []}}))
    arguments = ["consume", str(reference), "--only"]
    assert [cli.main([*arguments, part]) for part in ("consensus", "tables", "consensus,tables")] == [0, 1, 1]
    assert capsys.readouterr().err == ""
    assert cli.main([*arguments, "consensus,magic"]) == 2
    assert capsys.readouterr().err == f"bnslab: --only: expected one of {', '.join(PARTS)}, got 'magic'\n"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "bnslab", "consume", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def test_a_real_process_fails_with_status_1(fixture: Path) -> None:
    fixture.write_bytes(b"\x1f\x8b")
    done = run("mine.json.gz", cwd=fixture.parent)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.fullmatch(r"FAIL mine: file: damaged gzip data: .*\n0 passed, 1 failed\n", done.stdout)


def test_a_real_process_without_a_file_says_so_in_one_line(tmp_path: Path) -> None:
    done = run("nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("./lab: no such file or directory: 'nowhere'")


def test_an_empty_directory_and_no_argument(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [cli.main(["consume", str(tmp_path)]), cli.main(["consume"])] == [2, 2]
    out, err = capsys.readouterr()
    empty, none = err.splitlines()
    assert (out, empty.startswith("bnslab: fixture: expected a chain file")) == ("", True)
    assert str(tmp_path) in empty
    assert "FILE-or-DIR" in none
