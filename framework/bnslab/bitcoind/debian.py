"""Source "debian": the package bitcoin-knots, run from the cache with the libraries it was built for.

apt itself downloads and verifies (the archive's signature, then every file's hash), from the mirror this machine uses
already, in a directory tree of its own: no root is needed and nothing of the system is touched. Everything else of
apt's set-up, a proxy for example, stays in force.
"""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bnslab.bitcoind.errors import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = "bitcoin-knots"
PACKAGE_SUITE = "sid"
LIBRARY_SUITE = "trixie"
_APT = Path("/etc/apt")
_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_MIRRORS_TRIED = 3

# Parts of a Debian system that a server needs and a program run by hand does not.
_PRETEND_INSTALLED = {"debconf": "debconf-2.0", "systemd-standalone-sysusers": "systemd-sysusers"}

_APT_CONF = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear Acquire::IndexTargets::deb::DEP-11;
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "{work}/lab.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "{work}/preferences";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""

_SOURCES = """\
Types: deb
Targets: Packages
URIs: {mirror}
Suites: {suites}
Components: main
Signed-By: {keyring}
"""

_PREFERENCES = f"""\
Package: *
Pin: release n={PACKAGE_SUITE}
Pin-Priority: 100

Package: {PACKAGE}
Pin: release n={PACKAGE_SUITE}
Pin-Priority: 990
"""


def fetch(tree: Path, report: Callable[[str], None], *, apt: Path = _APT) -> None:
    """Put the package's program at `tree/bin/bitcoind` and its libraries and loader in `tree/lib`.

    `apt` is the directory of the machine's apt set-up. Raises SourceFailed with the reason in a few words.
    """
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise SourceFailed(f"this machine has no {' and no '.join(missing)}")
    keyring = next((path for path in _KEYRINGS if path.exists()), None)
    if keyring is None:
        raise SourceFailed("Debian's keyring is not here (package debian-archive-keyring)")
    found = mirrors(apt)
    if not found:
        raise SourceFailed("this machine's apt sources name no Debian archive")
    work = tree / "work"
    for mirror in found[:_MIRRORS_TRIED]:
        _prepare(work, mirror, keyring)
        try:
            report("debian: reading the package lists")
            _apt(work, "update")
            break
        except SourceFailed:
            if mirror == found[:_MIRRORS_TRIED][-1]:
                raise
    report(f"debian: downloading {PACKAGE} and its libraries")
    _download(work)
    report("debian: unpacking")
    _unpack(work, tree)
    shutil.rmtree(work)


def mirrors(apt: Path) -> list[str]:
    """The addresses of package archives in the machine's own apt sources, the likeliest first.

    Reads both forms: stanzas in `*.sources`, lines in `sources.list` and `*.list`.
    """
    parts = apt / "sources.list.d"
    stanzas = [stanza for path in sorted(parts.glob("*.sources")) for stanza in _stanzas(_text(path))]
    lines = [line for path in (apt / "sources.list", *sorted(parts.glob("*.list"))) for line in _lines(_text(path))]
    usable = [
        uri
        for types, uris, suites, components in stanzas + lines
        if "deb" in types and "main" in components and any(_is_base_suite(suite) for suite in suites)
        for uri in uris
        if not uri.startswith("cdrom:")
    ]
    return sorted(dict.fromkeys(usable), key=lambda uri: not uri.rstrip("/").endswith("/debian"))


_Entry = tuple[list[str], list[str], list[str], list[str]]


def _stanzas(text: str) -> list[_Entry]:
    entries = []
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        pairs = re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        fields = {name.lower(): value.split() for name, value in pairs}
        if [word.lower() for word in fields.get("enabled", ["yes"])] == ["no"]:
            continue
        types, uris, suites, components = (fields.get(n, []) for n in ("types", "uris", "suites", "components"))
        entries.append((types, uris, suites, components))
    return entries


def _lines(text: str) -> list[_Entry]:
    entries = []
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*]", "", line.partition("#")[0]).split()
        if len(words) >= 3:
            entries.append((words[:1], words[1:2], words[2:3], words[3:]))
    return entries


def _is_base_suite(suite: str) -> bool:
    return re.search(r"[-/]", suite) is None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _prepare(work: Path, mirror: str, keyring: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    for directory in ("state/lists/partial", "cache/archives/partial", "root"):
        (work / directory).mkdir(parents=True)
    suites = f"{PACKAGE_SUITE} {LIBRARY_SUITE}"
    status = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: all\nMulti-Arch: foreign\nVersion: 9999\n"
        f"Provides: {provides}\nMaintainer: nobody\nDescription: not needed here\n"
        for name, provides in _PRETEND_INSTALLED.items()
    )
    (work / "apt.conf").write_text(_APT_CONF.format(work=work.resolve()))
    (work / "lab.sources").write_text(_SOURCES.format(mirror=mirror, suites=suites, keyring=keyring))
    (work / "preferences").write_text(_PREFERENCES)
    (work / "status").write_text(status)


def _download(work: Path) -> None:
    install = ("install", "--yes", "--download-only")
    try:
        _apt(work, *install, PACKAGE)
    except SourceFailed:
        # A package newer than the library suite allows: let apt take what it must from the package's own.
        _apt(work, *install, f"{PACKAGE}/{PACKAGE_SUITE}")


def _apt(work: Path, *arguments: str) -> None:
    _run("env", "LC_ALL=C", "apt-get", "--config-file", str(work / "apt.conf"), "--quiet", "--quiet", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith(("E:", "dpkg-deb: error"))]
        said = (errors or done.stderr.splitlines() or [f"exit status {done.returncode}"])[0]
        if "No space left" in said:
            raise OSError(errno.ENOSPC, "No space left on device")
        # An address may hold a name and a password.
        said = re.sub(r"\w+:/\S+", "the mirror", said)
        raise SourceFailed(re.sub(r"^E: | \[IP: .*]", "", said))


def _unpack(work: Path, tree: Path) -> None:
    root = work / "root"
    for package in sorted((work / "cache" / "archives").glob("*.deb")):
        _run("dpkg-deb", "--extract", str(package), str(root))
    program = root / "usr" / "bin" / "bitcoind"
    if not program.is_file():
        raise SourceFailed(f"the package {PACKAGE} holds no bitcoind")
    for directory in ("bin", "lib"):
        (tree / directory).mkdir()
    program.rename(tree / "bin" / "bitcoind")
    for library in (*root.glob("lib/*/*.so*"), *root.glob("usr/lib/*/*.so*")):
        library.rename(tree / "lib" / library.name)
