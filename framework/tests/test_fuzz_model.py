"""The model: independent of the core, and right about chains that the reference has judged."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bnslab.fuzz
from bnslab import fixtures
from bnslab.fuzz.model import Model
from bnslab.fuzz.model.text import b40, consensus_hash, float_text, is_name, ops_hash, preorder_hash

ROOT = Path(__file__).parents[2]
FUZZ = Path(bnslab.fuzz.__file__).parent
ALLOWED = ("bns.bitcoin", "bns.params")
COMPARING = {"compare.py", "duel.py", "targets.py", "telling.py"}
"""The only modules of the fuzzer that meet the core: they compare with it, or tell a failure as a script."""


def rule_code(path: Path) -> list[str]:
    """What a file imports of bns or of the harness that could bring rules with it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found += [name for name in names if name.split(".")[0] == "bns" and not name.startswith(ALLOWED)]
        found += [name for name in names if name.startswith("bnslab") and not name.startswith("bnslab.fuzz.model")]
    return found


@pytest.mark.parametrize("path", sorted((FUZZ / "model").glob("*.py")), ids=lambda path: path.stem)
def test_the_model_shares_no_rule_code_with_the_core(path: Path) -> None:
    assert rule_code(path) == []


def test_rule_code_would_be_found(tmp_path: Path) -> None:
    breach = tmp_path / "breach.py"
    breach.write_text("import bns.engine\nfrom bns import state\ndef f():\n    from bnslab.lab import Lab\n")
    assert rule_code(breach) == ["bns.engine", "bns.state", "bnslab.lab.Lab"]


def test_chains_are_made_without_the_core() -> None:
    core = ("bns.operations", "bns.consensus", "bns.engine", "bns.state", "bnslab.lab", "bnslab.transactions")
    makers = [path for path in FUZZ.glob("*.py") if path.name not in COMPARING]
    assert {"perform.py", "payloads.py", "generator.py"} <= {path.name for path in makers}
    assert [(path.name, name) for path in makers for name in rule_code(path) if name.startswith(core)] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "fixtures" / "reference").glob("*.json.gz"))[::4], ids=lambda path: path.name[:-8]
)
def test_the_model_agrees_with_the_reference(path: Path) -> None:
    fixture = fixtures.load(path)
    outputs, model = fixture.outputs(), Model(fixture.params)
    for block in fixture.blocks:
        if block.height >= fixture.params.first_block:
            outcome = model.apply(bytes.fromhex(block.raw), outputs.find)
            assert outcome.serialized == fixture.serialized_ops(block.height), block.height
            assert outcome.consensus_hash == fixture.consensus_hash(block.height), block.height


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10.0"),
        (0.0, "0.0"),
        (0.00012, "0.00012"),
        (0.000012, "1.2e-05"),
        (365714.28571428574, "365714.285714"),
        (99999999999.5, "99999999999.5"),
        (1e11, "1e+11"),
        (999999999999.4, "9.99999999999e+11"),
        (12345678900.05, "12345678900.0"),
        (357142857142.8572, "3.57142857143e+11"),
        (1234567890105.0, "1.23456789010e+12"),
        (1234567890104.0, "1.2345678901e+12"),
        (5518723689405.0, "5.51872368940e+12"),
        (3.1962657931507854e39, "3.19626579315e+39"),
    ],
)
def test_floats_are_written_as_python_2_did(value: float, text: str) -> None:
    assert float_text(value) == text


def test_empty_blocks_have_the_hashes_of_the_specification() -> None:
    hashes: dict[int, str] = {}
    for height in range(373601, 373605):
        hashes[height] = consensus_hash(height, ops_hash([]), 373601, hashes.__getitem__)
    assert [hash_[:8] for hash_ in hashes.values()] == ["2a9148d8", "1c54465d", "0efa29f9", "9daa6e59"]


def test_names_and_their_hashes() -> None:
    assert (b40("00a"), b40("test"), b40("0")) == (b"\x0a", bytes.fromhex("1cadfd"), b"\x00")
    script, address = "76a91433b94b70bbd434f0ad01925669bedf3469832b5888ac", "mkESjLZW66TmHhiFX8MCaBjrhZ543PPh9a"
    assert preorder_hash("bar.test", script, address) == "6c14ca5cf362679ee298d23c723b4d285312b529"
    good = ["a.b", "0-_z.id", "x" * 35 + ".y"]
    bad = ["", ".", "a.", ".b", "a.b.c", "A.b", "a+.b", "a.b\n", "x" * 36 + ".y", "a." + "b" * 20]
    assert [name for name in good + bad if is_name(name)] == good
