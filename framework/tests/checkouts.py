"""A made-up project for the launcher: as small as one can be, and able to get into trouble."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path

LAB = Path(__file__).parents[2] / "lab"

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "bnslab"
version = "1"
[project.optional-dependencies]
dev = []
"""

# A build backend that needs no package index. It counts its runs, and does what the file "trouble" asks for.
BACKEND = """\
import os, pathlib, signal, zipfile
root = pathlib.Path(__file__).parent

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    with (root / "builds").open("a") as file:
        file.write("build\\n")
    trouble = root / "trouble"
    if trouble.exists():
        exec(trouble.read_text())
    extra = "".join(f"Provides-Extra: dev\\nRequires-Dist: {line}; extra == 'dev'\\n" for line in requirements())
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / "bnslab-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("bnslab.pth", str(root / "source"))
        wheel.writestr("bnslab-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: bnslab\\nVersion: 1\\n" + extra)
        wheel.writestr("bnslab-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("bnslab-1.dist-info/RECORD", "")
    return "bnslab-1-py3-none-any.whl"

def requirements():
    import tomllib
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
"""

PROGRAM = "import json, os, sys; print(json.dumps([__file__, os.getcwd(), sys.argv[1:]])); sys.exit(len(sys.argv) - 1)"

# Starts the launcher in an interpreter that is made to look like another one.
DRIVER = """\
import importlib.util, os, sys
given = {given!r}
sys.argv = given["argv"]
sys._base_executable = given["base"]
if given["version"]:
    sys.version_info = tuple(given["version"])
if given["without"]:
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: None if name == given["without"] else find(name, *rest)
if given["refused"]:
    def refuse(path, **rest):
        raise OSError(given["refused"], os.strerror(given["refused"]), path)
    os.makedirs = refuse
if given["imports"]:
    before = set(sys.modules)
    os.execv = lambda *rest: (print(sorted(set(sys.modules) - before)), sys.exit(0))
with open(given["argv"][0]) as file:
    code = compile(file.read(), given["argv"][0], "exec")
exec(code, {{"__name__": "__main__", "__file__": given["argv"][0]}})
"""

# A pip that only knows how to install this project: quick, where pip itself is not what a test is about.
QUICK_PIP = """\
import pathlib, sys, tempfile, zipfile
sys.path.insert(0, ".")
import backend
with tempfile.TemporaryDirectory() as directory:
    wheel = backend.build_editable(directory)
    zipfile.ZipFile(pathlib.Path(directory) / wheel).extractall(pathlib.Path(__file__).resolve().parents[1])
"""


class Checkout:
    """A project with the launcher; environments are made by a Python whose venv module skips the slow ensurepip."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "source" / "bnslab").mkdir(parents=True)
        (root / "source" / "bnslab" / "__init__.py").touch()
        (root / "source" / "bnslab" / "__main__.py").write_text(PROGRAM)
        (root / "backend.py").write_text(BACKEND)
        self.write_project()
        shutil.copy2(LAB, root / "lab")

    def write_project(self, *requirements: str) -> None:
        (self.root / "pyproject.toml").write_text(PYPROJECT.replace("dev = []", f"dev = {json.dumps(requirements)}"))

    def trouble(self, code: str) -> None:
        (self.root / "trouble").write_text(textwrap.dedent(code))

    @property
    def builds(self) -> int:
        record = self.root / "builds"
        return record.read_text().count("build") if record.exists() else 0

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    def command(self, tools: Path, *arguments: str, **given: object) -> list[str]:
        usual = {"base": str(tools / "quick-python"), "version": None, "without": None, "refused": 0, "imports": False}
        given = {**usual, **given, "argv": [str(self.root / "lab"), *arguments]}
        return [sys.executable, "-I", "-c", DRIVER.format(given=given)]
