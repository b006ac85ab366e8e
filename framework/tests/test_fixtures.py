"""Golden format 1 on disk: written, read, and refused where it is wrong."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bnslab import Reason
from bnslab.fixtures import CorruptFixture, load, save
from bnslab.recording import record
from tests.labs import FIRST_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.labs import Labs

Json = dict[str, Any]


@pytest.fixture
def path(make_lab: Labs, tmp_path: Path) -> Path:
    """A fixture of four blocks with an operation, a rejection and two quiet ones."""
    lab = make_lab()
    lab.namespace_preorder("test", by="alice")
    lab.mine()
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        lab.namespace_ready("test", by="alice")
    lab.mine(2)
    path = tmp_path / "deep" / "it.json.gz"
    save(path, record(lab))
    return path


def changed(path: Path, change: Callable[[Json], object]) -> Path:
    """The file with its content changed."""
    content = msgspec.json.decode(gzip.decompress(path.read_bytes()))
    change(content)
    path.write_bytes(gzip.compress(msgspec.json.encode(content)))
    return path


def refused(path: Path) -> str:
    """What is wrong with the file."""
    with pytest.raises(CorruptFixture) as caught:
        load(path)
    assert (caught.value.path, str(caught.value)) == (path, f"{path}: {caught.value.problem}")
    return caught.value.problem


def test_what_is_written_is_read_again(path: Path, make_lab: Labs) -> None:
    fixture = load(path)
    assert fixture.scenario == "a scenario"
    assert fixture.tip == FIRST_BLOCK + 3
    assert fixture.params == make_lab().params
    assert fixture.rejected_ops(FIRST_BLOCK + 1) == ["NAMESPACE_NOT_REVEALED"]
    assert fixture.rejected_ops(FIRST_BLOCK) == []
    assert len(fixture.serialized_ops(FIRST_BLOCK)) == 1
    assert fixture.serialized_ops(FIRST_BLOCK + 1) == []
    assert fixture.block_hash(FIRST_BLOCK) == fixture.blocks[0].hash
    assert fixture.block_hash(1) is fixture.consensus_hash(1) is None


def test_equal_fixtures_are_equal_bytes(path: Path, tmp_path: Path) -> None:
    save(tmp_path / "again.json.gz", load(path))
    assert (tmp_path / "again.json.gz").read_bytes() == path.read_bytes()


def test_plain_json_is_read_too(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert load(plain) == load(path)


def test_a_chain_file_expects_nothing(path: Path) -> None:
    def strip(content: Json) -> None:
        for member in ("expected", "first_block", "env", "prevouts", "zonefiles"):
            del content[member]

    fixture = load(changed(path, strip))
    assert (fixture.expected, fixture.consensus_hash(FIRST_BLOCK), fixture.rejected_ops(FIRST_BLOCK)) == (None,) * 3
    assert fixture.serialized_ops(FIRST_BLOCK) == []


@pytest.mark.parametrize("kept", [0, 1, 2, 9, 10, 11, 100, -8, -1])
def test_a_truncated_file(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    assert refused(path).startswith(("damaged gzip data: ", "not golden format 1: "))


@pytest.mark.parametrize("place", [3, 20, -6])
def test_damaged_compression(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    assert refused(path).startswith("damaged gzip data: ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.json.gz") == "cannot be read: No such file or directory"
    assert refused(tmp_path) == "cannot be read: Is a directory"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b'{"format": "1"}'])
def test_what_is_not_the_format_at_all(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "it.json.gz"
    path.write_bytes(gzip.compress(text))
    assert refused(path).startswith("not golden format 1: ")


def put(*keys: str | int, value: object) -> Callable[[Json], None]:
    """A change of one member."""

    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("format", value=2), "format: expected 1 got 2"),
        (put("format", value="1"), "not golden format 1: Expected `int`, got `str` - at `$.format`"),
        (put("blocks", value=[]), "blocks: expected at least one got none"),
        (put("blocks", value={}), "not golden format 1: Expected `array`, got `object` - at `$.blocks`"),
        (put("blocks", 2, "height", value=7), "blocks[2].height: expected 113 got 7"),
        (put("blocks", 1, "height", value=None), "Expected `int`, got `null` - at `$.blocks[1].height`"),
        (put("blocks", 1, "hash", value="00" * 32), "block 112 hash: expected "),
        (put("blocks", 1, "raw", value="zz"), "block 112 raw: non-hexadecimal number found"),
        (put("blocks", 1, "raw", value="00"), "block 112 raw: "),
        (put("blocks", 1, "raw", value="00" * 81), "block 112 raw: "),
        (put("expected", "tip", value="x"), "Expected `int`, got `str` - at `$.expected.tip`"),
        (put("expected", "consensus_hashes", value={"111": 5}), "Expected `str | null`, got `int`"),
        (put("expected", "serialized_ops", value=[]), "Expected `object`, got `array`"),
        (put("first_block", value=112), "first_block: expected 111 got 112"),
        (put("first_block", value=None), "first_block: expected 111 got None"),
        (put("env", "BLOCKSTACK_TEST_FIRST_BLOCK", value="x"), "env: first block: expected an integer, got 'x'"),
        (put("env", "BLOCKSTACK_EPOCH_2_END_BLOCK", value="-5"), "env: epoch ends: expected two increasing heights"),
        (put("prevouts", "ab" * 32, value="zz"), f"prevouts {'ab' * 32}: non-hexadecimal"),
        (put("prevouts", "ab" * 32, value="00"), f"prevouts {'ab' * 32}: "),
    ],
)
def test_a_wrong_member_is_named(path: Path, change: Callable[[Json], object], told: str) -> None:
    assert told in refused(changed(path, change))


@pytest.mark.parametrize("removed", [1, 2])
def test_a_gap_in_the_heights(path: Path, removed: int) -> None:
    problem = refused(changed(path, lambda content: content["blocks"].pop(removed)))
    assert problem == f"blocks[{removed}].height: expected {111 + removed} got {112 + removed}"


def test_a_gap_that_the_heights_do_not_show(path: Path) -> None:
    def skip(content: Json) -> None:
        gone = content["blocks"].pop(1)
        for number, block in enumerate(content["blocks"]):
            block["height"] = 111 + number
        told.append(f"block 112 previous block: expected {content['blocks'][0]['hash']} got {gone['hash']}")

    told: list[str] = []
    assert [refused(changed(path, skip))] == told


@pytest.mark.parametrize(("digit", "told"), [(10, "block 111 hash: expected "), (-20, "block 111 Merkle root: ")])
def test_a_changed_digit_of_a_block(path: Path, digit: int, told: str) -> None:
    def flip(content: Json) -> None:
        raw = list(content["blocks"][0]["raw"])
        raw[digit] = "0" if raw[digit] != "0" else "1"
        content["blocks"][0]["raw"] = "".join(raw)

    assert refused(changed(path, flip)).startswith(told)


def test_another_transaction_than_the_prevouts_say(path: Path) -> None:
    def swap(content: Json) -> None:
        (one, raw), *_ = content["prevouts"].items()
        other = "00" * 32
        content["prevouts"][other] = raw
        told.append(f"txid of prevouts {other}: expected {one} got {other}")

    told: list[str] = []
    assert [refused(changed(path, swap))] == told
