"""./lab on a made-up project: real environments and pip, with conditions of a bad machine brought about."""

from __future__ import annotations

import ast
import errno
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.checkouts import LAB, PYPROJECT, QUICK_PIP, Checkout

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory with quick-python: this interpreter with a quick venv module and a quick pip."""
    (tmp_path / "packages" / "pip").mkdir(parents=True)
    (tmp_path / "packages" / "pip" / "__init__.py").touch()
    (tmp_path / "packages" / "pip" / "__main__.py").write_text(QUICK_PIP)
    return make_tools(tmp_path, f'cp -r "{tmp_path}/packages/pip"')


@pytest.fixture
def pip_tools(tmp_path: Path) -> Path:
    """The same with the pip that is in use here."""
    pip = importlib.util.find_spec("pip")
    assert pip is not None
    assert pip.origin is not None
    packages = Path(pip.origin).parents[1]
    return make_tools(tmp_path, f'ln -s "{packages}"/pip "{packages}"/pip-*.dist-info')


def make_tools(tmp_path: Path, add_pip: str) -> Path:
    directory = tmp_path / "tools"
    directory.mkdir()
    real = getattr(sys, "_base_executable", sys.executable)
    script = f"""\
    #!/bin/sh
    [ "$2 $3" = "-m venv" ] || exec "{real}" "$@"
    "{real}" -I -m venv --without-pip "$4" && {add_pip} "$4"/lib/python*/site-packages/
    """
    write_script(directory / "quick-python", script)
    return directory


def write_script(path: Path, text: str) -> None:
    path.write_text(textwrap.dedent(text))
    path.chmod(0o755)


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "COV_"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", **extra}


def start(
    checkout: Checkout, tools: Path, *arguments: str, env: dict[str, str] | None = None, **given: object
) -> subprocess.CompletedProcess[str]:
    command = checkout.command(tools, *arguments, **given)
    return subprocess.run(command, capture_output=True, text=True, env=env or environment(), check=False)


def launcher() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("launcher", str(LAB))
    spec = importlib.util.spec_from_loader("launcher", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def only_line(result: subprocess.CompletedProcess[str]) -> str:
    """The one line of a failed start, after the lines of progress."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    progress = ("lab: creating", "lab: installing", "lab: making")
    lines = [line for line in result.stderr.splitlines() if not line.startswith(progress)]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_first_start_installs_and_the_next_ones_only_start(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "json.py").write_text("raise SystemExit('a module of the current directory was imported')")
    (elsewhere / "link").symlink_to(checkout.root / "lab")

    def begin(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, program, *arguments]
        return subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, env=environment(), check=False)

    first = begin(str(checkout.root / "lab"), "run", "a b")
    main = str(checkout.root / "source" / "bnslab" / "__main__.py")
    assert json.loads(first.stdout) == [main, str(elsewhere), ["run", "a b"]]
    assert first.returncode == 2
    assert [line.split()[1] for line in first.stderr.splitlines()] == ["creating", "installing", "ready"]

    shutil.rmtree(checkout.python.parents[1] / "lib" / f"python3.{sys.version_info[1]}" / "site-packages" / "pip")
    second = begin("link", "--version")
    assert json.loads(second.stdout) == [main, str(elsewhere), ["--version"]]
    assert (second.returncode, second.stderr) == (1, "")


def test_is_executable_and_parses_on_old_pythons() -> None:
    assert os.access(LAB, os.X_OK)
    ast.parse(LAB.read_text(), feature_version=(3, 6))


def test_a_start_that_has_nothing_to_do_imports_nothing(checkout: Checkout, tools: Path) -> None:
    assert start(checkout, tools).returncode == 0
    assert start(checkout, tools, imports=True).stdout == "[]\n"


def test_installs_again_when_the_project_changes(checkout: Checkout, pip_tools: Path) -> None:
    start(checkout, pip_tools)
    start(checkout, pip_tools)
    assert checkout.builds == 1
    (checkout.root / "pyproject.toml").write_text(PYPROJECT + "# changed\n")
    again = start(checkout, pip_tools)
    assert (again.returncode, checkout.builds) == (0, 2)
    assert "creating" not in again.stderr
    assert start(checkout, pip_tools).stderr == ""


def test_takes_over_an_environment_made_by_hand(checkout: Checkout, tools: Path) -> None:
    subprocess.run([tools / "quick-python", "-I", "-m", "venv", checkout.root / ".venv"], check=True)
    result = start(checkout, tools)
    assert (result.returncode, checkout.builds) == (0, 1)
    assert "creating" not in result.stderr


def test_no_network_is_one_line_and_leaves_the_old_environment_usable(checkout: Checkout, pip_tools: Path) -> None:
    start(checkout, pip_tools)
    checkout.write_project("a-package-that-is-not-there")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        env = {**environment(PIP_INDEX_URL=index, PIP_RETRIES="0"), "PIP_NO_INDEX": "0"}
        refused = start(checkout, pip_tools, env=env)
    assert "no package index can be reached: connect to the network" in only_line(refused)
    assert "no package index can be reached" in only_line(start(checkout, pip_tools))
    checkout.write_project()
    assert start(checkout, pip_tools).stderr == ""


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", "disk is full"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution\n", "no package index"),
        ("ReadTimeoutError: HTTPSConnectionPool(host='x', port=443): Read timed out.\n", "no package index"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken: Connection refused\nerror: no gcc\n", "no gcc"),
    ],
)
def test_what_pip_says_is_told_in_plain_words(output: str, told: str) -> None:
    assert told in str(launcher().explain(output.splitlines(keepends=True), "pip install"))


def test_full_disk_is_one_line_and_repaired_later(checkout: Checkout, pip_tools: Path) -> None:
    checkout.trouble(f"raise OSError({errno.ENOSPC}, os.strerror({errno.ENOSPC}))")
    assert "the disk is full: make room" in only_line(start(checkout, pip_tools))
    (checkout.root / "trouble").unlink()
    assert start(checkout, pip_tools).returncode == 0


def test_any_other_failure_shows_the_end_of_the_output(checkout: Checkout, pip_tools: Path) -> None:
    checkout.trouble("raise SystemExit('the compiler is on holiday')")
    failed = start(checkout, pip_tools)
    assert failed.returncode == 2
    assert "pip install failed" in failed.stderr
    assert "the compiler is on holiday" in failed.stderr
    assert len(failed.stderr.splitlines()) < 25


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_installation_stops_all_and_is_repaired(
    checkout: Checkout, pip_tools: Path, number: signal.Signals, status: int
) -> None:
    os.mkfifo(checkout.root / "reached")
    checkout.trouble("held = open(root / 'reached', 'w'); held.write('x'); held.flush(); signal.pause()")
    with subprocess.Popen(checkout.command(pip_tools), stderr=subprocess.PIPE, text=True, env=environment()) as process:
        with (checkout.root / "reached").open() as reached:
            assert reached.read(1) == "x"
            process.send_signal(number)
            assert reached.read() == ""  # the build is gone: the other end was closed
        _, errors = process.communicate()
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    (checkout.root / "trouble").unlink()
    repaired = start(checkout, pip_tools)
    assert repaired.returncode == 0
    assert "making .venv anew: the last installation was interrupted" in repaired.stderr


def test_of_two_starts_at_once_one_installs(checkout: Checkout, tools: Path) -> None:
    os.mkfifo(checkout.root / "go")
    checkout.trouble("open(root / 'go').read()")
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment()}
    with subprocess.Popen(checkout.command(tools), **streams) as one, (checkout.root / "go").open("w") as go:
        (checkout.root / "trouble").unlink()
        with subprocess.Popen(checkout.command(tools), **streams) as two:
            assert two.stderr is not None
            assert two.stderr.readline() == "lab: another start is installing, waiting for it\n"
            go.close()
            outputs = [process.communicate() for process in (one, two)]
    assert (one.returncode, two.returncode, checkout.builds) == (0, 0, 1), outputs
    assert outputs[0][0] == outputs[1][0]


def test_a_moved_checkout_is_made_anew(checkout: Checkout, tools: Path) -> None:
    start(checkout, tools)
    copy = checkout.root.with_name("copy")
    shutil.copytree(checkout.root, copy, symlinks=True)
    checkout.root = copy
    result = start(checkout, tools)
    assert "making .venv anew: the checkout has moved" in result.stderr
    assert json.loads(result.stdout)[0] == str(copy / "source" / "bnslab" / "__main__.py")


def test_an_environment_without_its_python_is_made_anew(checkout: Checkout, tools: Path) -> None:
    start(checkout, tools)
    checkout.python.unlink()
    checkout.python.symlink_to("python-of-last-year")
    result = start(checkout, tools)
    assert "making .venv anew: its Python is gone or is another one" in result.stderr
    assert result.returncode == 0


def test_an_environment_of_another_python_is_made_anew(checkout: Checkout, tools: Path) -> None:
    start(checkout, tools)
    library = checkout.root / ".venv" / "lib"
    next(library.iterdir()).rename(library / "python3.9")
    replace_python(checkout)
    result = start(checkout, tools)
    assert "making .venv anew: its Python is gone or is another one" in result.stderr
    assert result.returncode == 0


def test_an_updated_python_of_the_same_version_needs_no_installation(checkout: Checkout, tools: Path) -> None:
    start(checkout, tools)
    replace_python(checkout)
    result = start(checkout, tools)
    assert (result.returncode, result.stderr, checkout.builds) == (0, "", 1)
    assert start(checkout, tools, imports=True).stdout == "[]\n"


def replace_python(checkout: Checkout) -> None:
    """Another file for the same interpreter, as after an update of the system."""
    real = checkout.python.resolve()
    checkout.python.unlink()
    write_script(checkout.python, f'#!/bin/sh\nexec -a "$0" "{real}" "$@"\n'.replace("/bin/sh", "/bin/bash"))


def test_too_old_a_python_is_one_line(checkout: Checkout, tools: Path) -> None:
    write_script(tools / "python3.12", "#!/bin/sh\nexit 127\n")  # a shim without a Python behind it
    result = start(checkout, tools, version=(3, 9, 2), env=environment(PATH=str(tools)))
    line = only_line(result)
    assert line.startswith("lab: needs Python 3.11 or newer, found 3.9 (")
    assert "install one" in line
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 9, 2), (3, 14, 0)])
def test_a_fitting_python_on_the_path_is_used(checkout: Checkout, tools: Path, version: tuple[int, int, int]) -> None:
    write_script(tools / "python3.13", "#!/bin/sh\nexit 127\n")
    shutil.copy2(tools / "quick-python", tools / "python3.11")
    result = start(checkout, tools, version=version, env=environment(PATH=f"{tools}:/usr/bin:/bin"))
    assert f"creating .venv with {tools}/python3.11" in result.stderr
    assert result.returncode == 0


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_one_line(checkout: Checkout, tools: Path, module: str) -> None:
    result = start(checkout, tools, without=module, version=(3, 11, 2), env=environment(PATH=str(tools)))
    line = only_line(result)
    assert "has no venv module" in line
    assert "apt install python3.11-venv" in line


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EROFS, "cannot write to the checkout: use a copy that you can write to"),
        (errno.EACCES, "cannot write to the checkout: use a copy that you can write to"),
        (errno.ENOSPC, "the disk is full: make room"),
        (errno.EIO, "cannot make the environment"),
    ],
)
def test_what_the_system_refuses_is_one_line(checkout: Checkout, tools: Path, number: int, told: str) -> None:
    line = only_line(start(checkout, tools, refused=number))
    assert told in line
    assert str(checkout.root) in line


@pytest.mark.parametrize("name", [".lab", ".venv"])
def test_a_file_in_the_way_is_one_line(checkout: Checkout, tools: Path, name: str) -> None:
    (checkout.root / name).touch()
    line = only_line(start(checkout, tools))
    assert line.startswith("lab: cannot make the environment: ")
    assert str(checkout.root / name) in line
