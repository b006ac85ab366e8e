"""The rules of the house, checked on the tree; each check is also shown to fail on a made-up tree that breaks it."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bnslab.cli import root as command_line
from bnslab.commands._reference import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# From the bottom up. A part may import its own row and the rows above it in this list, and nothing else of bns.
LAYERS = (
    {"errors"},
    {"bitcoin"},
    {"params"},
    {"operations"},
    {"consensus", "engine", "state"},
    {"zonefiles", "subdomains", "atlas", "identity"},
    {"node", "api"},
    {"cli", "commands"},
)
RANKS = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

# Rules are values in, values out: no input or output, no clock, no chance.
PURE = {"bitcoin", "params", "operations", "consensus"}
IMPURE_MODULES = {"asyncio", "datetime", "http", "io", "os", "pathlib", "random", "secrets", "shutil", "socket"}
IMPURE_MODULES |= {"sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid"}

# Spelled in pieces, so that this file is no finding of its own. The reference's container has its state below /root.
FOREIGN_PLACES = re.compile(
    "/(?:work|root(?!/[.]blockstack-server)|opt)/|file:" + "///|(?:pypi|npmjs|python" + "hosted|proxy[.]golang)[.]org"
)

Finding = tuple[str, int, str]


def python_files(*places: str, root: Path = ROOT) -> Iterator[Path]:
    for place in places:
        yield from sorted((root / place).rglob("*.py"))


def product(root: Path = ROOT) -> list[Path]:
    return list(python_files("core/bns", "framework/bnslab", root=root))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path, package_root: Path) -> Iterator[tuple[str, int]]:
    """The full names of all that a file imports, wherever in it, with the line."""
    package = ".".join(path.relative_to(package_root).parent.parts)
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            module = node.module or "" if not node.level else ".".join(filter(None, (base, node.module)))
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def layer_findings(root: Path) -> Iterator[Finding]:
    core = root / "core"
    for path in python_files("bns", root=core):
        part = path.relative_to(core / "bns").parts[0].removesuffix(".py")
        if part != "__init__" and part not in RANKS:
            yield str(path), 1, f"bns.{part} stands in no layer"
        for module, line in imports(path, core):
            names = module.split(".")
            if names[0] == "bnslab":
                yield str(path), line, "bns imports bnslab"
            elif names[0] == "bns" and len(names) > 1:
                target = names[1]
                below = target == "__version__" or RANKS.get(target, len(LAYERS)) <= RANKS.get(part, -1)
                if not below:
                    yield str(path), line, f"bns.{part} imports bns.{target}"
            elif names[0] in IMPURE_MODULES and part in PURE:
                yield str(path), line, f"bns.{part} is pure and imports {names[0]}"


def sleep_findings(root: Path) -> Iterator[Finding]:
    for path in python_files("core", "framework", "scenarios", "benchmarks", root=root):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name == "sleep":
                    yield str(path), node.lineno, "a sleep: wait for the event itself"


def environment_findings(root: Path) -> Iterator[Finding]:
    names = {"environ", "environb", "getenv", "getenvb"}
    for path in product(root):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Attribute):
                found = node.attr in names and getattr(node.value, "id", "") == "os"
            else:
                taken = node.names if isinstance(node, ast.ImportFrom) and node.module == "os" else []
                found = bool(names & {alias.name for alias in taken})
            if found:
                yield str(path), getattr(node, "lineno", 1), "reads the environment: pass the value in"


def size_findings(root: Path) -> Iterator[Finding]:
    for path in product(root):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            yield str(path), lines, f"more than {LONGEST_FILE} lines"
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    yield str(path), node.lineno, f"{node.name} has {length} lines, more than {LONGEST_FUNCTION}"


def place_findings(root: Path) -> Iterator[Finding]:
    for path in text_files(root):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield from ((str(path), number, f"speaks of {place}") for place in FOREIGN_PLACES.findall(line))


def link_findings(root: Path) -> Iterator[Finding]:
    for path in text_files(root):
        if path.suffix == ".md":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                for target in re.findall(r"\]\(([^)#\s]+)", line):
                    if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                        yield str(path), number, f"links to {target}, which is not there"


def text_files(root: Path) -> Iterator[Path]:
    """The text files of the project: what git tracks or would track; without git, all that are not hidden."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        paths = [root / name for name in listed.split("\0") if name]
    else:
        paths = [path for path in root.rglob("*") if not any(part[0] == "." for part in path.relative_to(root).parts)]
    for path in sorted(set(paths)):
        if path.is_file() and b"\0" not in path.read_bytes()[:4096] and path.suffix not in {".gz", ".zip"}:
            yield path


CHECKS = [layer_findings, sleep_findings, environment_findings, size_findings, place_findings, link_findings]


@pytest.mark.parametrize("check", CHECKS)
def test_the_tree_keeps_the_rule(check: Callable[[Path], Iterator[Finding]]) -> None:
    assert [f"{path}:{line}: {what}" for path, line, what in check(ROOT)] == []


BREACHES = [
    (layer_findings, "core/bns/bitcoin/script.py", "from bns.params import Params", "bns.bitcoin imports bns.params"),
    (layer_findings, "core/bns/bitcoin/script.py", "from bns import params", "bns.bitcoin imports bns.params"),
    (layer_findings, "core/bns/bitcoin/script.py", "from ..params import Params", "bns.bitcoin imports bns.params"),
    (layer_findings, "core/bns/operations/base.py", "import bns.engine", "bns.operations imports bns.engine"),
    (layer_findings, "core/bns/state/db.py", "from bns.atlas import peers", "bns.state imports bns.atlas"),
    (layer_findings, "core/bns/api/rest.py", "def f():\n    from bns import cli", "bns.api imports bns.cli"),
    (layer_findings, "core/bns/engine.py", "from bnslab.lab import Lab", "bns imports bnslab"),
    (layer_findings, "core/bns/extras.py", "", "bns.extras stands in no layer"),
    (layer_findings, "core/bns/operations/base.py", "from time import time", "bns.operations is pure and imports time"),
    (sleep_findings, "core/tests/test_it.py", "from time import sleep\nsleep(1)", "a sleep: wait for the event itself"),
    (
        sleep_findings,
        "scenarios/a.py",
        "async def f():\n    await anyio.sleep(0)",
        "a sleep: wait for the event itself",
    ),
    (environment_findings, "core/bns/a.py", "import os\nos.environ['A']", "reads the environment: pass the value in"),
    (
        environment_findings,
        "framework/bnslab/a.py",
        "from os import getenv",
        "reads the environment: pass the value in",
    ),
    (size_findings, "core/bns/a.py", "#\n" * 401, "more than 400 lines"),
    (size_findings, "core/bns/a.py", "def f():\n" + "    1\n" * 60, "f has 61 lines, more than 60"),
    (place_findings, "docs/a.md", "in /" + "work/x", "speaks of /" + "work/"),
    (place_findings, "a.toml", "url = 'https://pypi." + "org/simple'", "speaks of pypi." + "org"),
    (link_findings, "docs/a.md", "see [b](b.md#part)", "links to b.md, which is not there"),
]


@pytest.mark.parametrize(("check", "name", "text", "told"), BREACHES)
def test_a_breach_is_found(
    check: Callable[[Path], Iterator[Finding]], name: str, text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert [(Path(where), what) for where, _, what in check(tmp_path)] == [(path, told)]


ALLOWED = [
    (layer_findings, "core/bns/bitcoin/script.py", "from bns.errors import BnsError\nfrom bns.bitcoin import hashes"),
    (layer_findings, "core/bns/atlas/node.py", "import time\nfrom bns.zonefiles import parse\nfrom .peers import Peer"),
    (layer_findings, "core/bns/cli.py", "from bns import __version__\nfrom bns.api.rest import app"),
    (sleep_findings, "core/bns/a.py", "'sleep(1)'  # never sleep()"),
    (environment_findings, "core/bns/a.py", "'os.environ'\nenvironment = {}"),
    (size_findings, "core/bns/a.py", "def f():\n" + "    1\n" * 59),
    (place_findings, "docs/a.md", "homework/ and /root/.blockstack-server"),
    (link_findings, "docs/a.md", "[here](a.md) [there](https://example.org/b.md) [part](#part)"),
]


@pytest.mark.parametrize(("check", "name", "text"), ALLOWED)
def test_what_is_allowed_is_no_finding(
    check: Callable[[Path], Iterator[Finding]], name: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert list(check(tmp_path)) == []


def project() -> dict[str, list[str]]:
    """The requirements of the project by the extra that asks for them; the unconditional ones under an empty name."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": table["dependencies"], **table["optional-dependencies"]}


def distribution(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_what_is_imported_is_declared() -> None:
    declared = {distribution(each) for extra in project().values() for each in extra}
    providers = importlib.metadata.packages_distributions()
    missing = set()
    for path in [*product(), *python_files("core/tests", "framework/tests", "scenarios", "benchmarks")]:
        for module, line in imports(path, ROOT):
            top = module.split(".")[0]
            owners = {name.lower().replace("_", "-") for name in providers.get(top, [])} - {"bnslab"}
            if owners and top not in sys.stdlib_module_names and not owners & declared:
                missing.add(f"{path}:{line}: {top} (of {', '.join(sorted(owners))})")
    assert missing == set()


def test_each_dependency_has_its_reason_in_the_docs() -> None:
    told = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    declared = [distribution(each) for extra in project().values() for each in extra]
    assert sorted(told) == sorted(set(declared) - {"bnslab"})


def test_the_command_line_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert written == render(command_line), "run: ./lab --reference > docs/reference/cli.md"
