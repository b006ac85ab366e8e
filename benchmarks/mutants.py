"""Mutation check: changes the rule modules one place at a time; the consensus tests must notice.

Each mutant runs in a forked child. First it replays fixtures (golden chains, fuzzed chains, scenarios with their
rejections), in an order that kills early; a mutant that survives those meets the unit tests of the rules. What survives
everything is listed with its source line.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import os
import random
import signal
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core"
MODULES = (
    "bns.operations.names",
    "bns.operations.prices",
    "bns.operations.base",
    "bns.operations.view",
    "bns.operations.history",
    "bns.operations.namespace_preorder",
    "bns.operations.namespace_reveal",
    "bns.operations.namespace_ready",
    "bns.operations.name_import",
    "bns.operations.name_preorder",
    "bns.operations.name_registration",
    "bns.operations.name_renewal",
    "bns.operations.name_update",
    "bns.operations.name_transfer",
    "bns.operations.name_revoke",
    "bns.operations.announce",
    "bns.operations.dispatch",
    "bns.consensus",
    "bns.engine",
)
UNIT_TESTS = ("appendix_chains", "consensus", "engine", "names", "params", "prices", "rules", "state")
"""The consensus tests: core/tests/test_<one of these>*.py."""

SECONDS = 90
"""A mutant that takes longer counts as killed: it hangs."""

KILLED, SURVIVED = 1, 0

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
}


_WORDING = ("InvalidInput", "LookupError", "encode", "decode")
"""Calls whose texts are messages, or names of codecs, which Python reads with any punctuation."""


class Mutant(NamedTuple):
    """A module's source with one change at a line."""

    module: str
    line: int
    change: str
    source: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.change}"


class _Places(ast.NodeTransformer):
    """Counts the places that can be changed, and changes the one that is asked for."""

    def __init__(self, target: int | None) -> None:
        self.count = 0
        self.change = ""
        self.line = 0
        self._target = target

    def _here(self, node: ast.expr | ast.stmt, change: str) -> bool:
        self.count += 1
        if self.count - 1 != self._target:
            return False
        self.line, self.change = node.lineno, change
        return True

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for index, operator in enumerate(node.ops):
            for other in _COMPARISONS.get(type(operator), ()):
                if self._here(node, f"{type(operator).__name__} -> {other.__name__}"):
                    node.ops[index] = other()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._here(node, "and <-> or"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and self._here(node, "not dropped"):
            return node.operand
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        other = _ARITHMETIC.get(type(node.op))
        if other is not None and self._here(node, f"{type(node.op).__name__} -> {other.__name__}"):
            node.op = other()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            if self._here(node, f"{value} -> {not value}"):
                node.value = not value
        elif isinstance(value, int):
            if self._here(node, f"{value} -> {value + 1}"):
                node.value = value + 1
        elif isinstance(value, str) and value and self._here(node, f"{value!r} cut"):
            node.value = value[:-1]
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if any(isinstance(statement, ast.Raise) for statement in node.body) and self._here(node, "check dropped"):
            node.test = ast.Constant(value=False)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node  # a docstring
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and self._here(node, "call dropped"):
            return ast.Pass()
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _WORDING:
            return node
        self.generic_visit(node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node  # wording of details

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]  # decorators only freeze and slot
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        return node


def mutants_of(module: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its source."""
    source = (CORE / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
    counter = _Places(None)
    counter.visit(ast.parse(source))
    for index in range(counter.count):
        places = _Places(index)
        tree = ast.fix_missing_locations(places.visit(ast.parse(source)))
        yield Mutant(module, places.line, places.change, ast.unparse(tree))


def _unchanged(module: str) -> Mutant:
    source = (CORE / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
    return Mutant(module, 0, "nothing", source)


def run_mutant(mutant: Mutant, chains: Sequence[Path]) -> int:
    """KILLED or SURVIVED, found out in a child."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            status = _judge(mutant, chains)
        except BaseException:  # noqa: BLE001 - whatever a mutant does, it is dead
            status = KILLED
        os._exit(status)
    _, status = os.waitpid(child, 0)
    return SURVIVED if os.waitstatus_to_exitcode(status) == SURVIVED else KILLED


def _judge(mutant: Mutant, chains: Sequence[Path]) -> int:
    _install(mutant)
    consume = importlib.import_module("bnslab.consume").consume
    if any(consume(chain, ("consensus", "tables")).failure is not None for chain in chains):
        return KILLED
    import pytest

    arguments = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", *unit_tests()]
    return SURVIVED if pytest.main(arguments) == 0 else KILLED


def _install(mutant: Mutant) -> None:
    """Import the mutated module before anything of bns that uses it."""
    name = mutant.module
    code = compile(mutant.source, name, "exec")
    spec = importlib.util.find_spec(name)
    assert spec is not None, name
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(code, module.__dict__)


def unit_tests() -> list[str]:
    """Files of the consensus tests."""
    return [str(path) for test in UNIT_TESTS for path in sorted((CORE / "tests").glob(f"test_{test}*.py"))]


def chains_in_order() -> list[Path]:
    """The replayed fixtures: scenarios are small and know rejections, fuzzed chains are hostile, then some others."""
    scenarios = sorted((ROOT / "fixtures" / "scenarios").rglob("*.json.gz"))
    fuzzed = sorted((ROOT / "fixtures" / "reference" / "fuzz").glob("*.json.gz"))
    return [*scenarios, *fuzzed]


def main(argv: Sequence[str]) -> int:
    """Run all mutants, or a seeded sample; print survivors and the share killed."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--module", action="append", help="only this module (may be repeated)")
    parser.add_argument("--sample", type=int, help="so many mutants, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    mutants = [mutant for module in options.module or MODULES for mutant in mutants_of(module)]
    if options.sample is not None:
        mutants = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
    chains = chains_in_order()
    for module in ("coincurve", "msgspec", "orjson", "pytest", "sqlite3", "bns.bitcoin.keys", "bnslab.fixtures"):
        importlib.import_module(module)  # once for all children; none of them loads a module that is mutated
    assert not set(MODULES) & set(sys.modules), "a mutant would come too late"
    console = Console()
    started = perf_counter()
    if run_mutant(_unchanged(MODULES[0]), chains) == KILLED:
        console.print("the tests fail without any mutation: expected them to pass")
        return 2
    survivors = []
    for number, mutant in enumerate(mutants, 1):
        if run_mutant(mutant, chains) == SURVIVED:
            survivors.append(str(mutant))
            console.print(f"survived  {mutant}", highlight=False)
        if number % 50 == 0:
            console.print(f"{number} of {len(mutants)}, {perf_counter() - started:.0f} s", highlight=False)
    killed = len(mutants) - len(survivors)
    share = 100 * killed / len(mutants)
    console.print(f"{killed} of {len(mutants)} mutants killed ({share:.1f} %), {perf_counter() - started:.0f} s")
    if options.json is not None:
        options.json.write_text(
            json.dumps({"mutants": len(mutants), "killed": killed, "survivors": survivors}, indent=1)
        )
    return 0 if share >= 95 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
