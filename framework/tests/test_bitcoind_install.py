"""Installing: sources in order, verified, all or nothing."""

from __future__ import annotations

import errno
import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bnslab.bitcoind import InstallError, debian, find, image, install, release
from bnslab.bitcoind.errors import SourceFailed
from bnslab.bitcoind.install import SOURCES, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAM = b"#!/bin/sh\necho Bitcoin Core version v28.2.0\n"
HOST = ("Linux", "x86_64")


def put(tree: Path, report: Callable[[str], None]) -> None:
    (tree / "bin").mkdir()
    (tree / "bin" / "bitcoind").write_bytes(PROGRAM)
    (tree / "bin" / "bitcoind").chmod(0o755)


def fails(reason: Exception) -> Callable[[Path, Callable[[str], None]], None]:
    def fetch(tree: Path, report: Callable[[str], None]) -> None:
        (tree / "half").write_text("done")
        raise reason

    return fetch


def left_in(cache: Path) -> set[str]:
    return {entry.name for entry in (cache / "bitcoind").iterdir()} - {".lock", "probes"}


def quiet(line: str) -> None:
    del line


def test_the_first_source_that_works(tmp_path: Path) -> None:
    said: list[str] = []
    sources = [Source("one", fails(SourceFailed("no luck"))), Source("two", put), Source("three", put)]
    found = install(tmp_path, said.append, sources=sources)
    assert found.source == "two-28.2.0"
    assert found == find(None, tmp_path, path="")
    assert left_in(tmp_path) == {"two-28.2.0"}
    assert said[:2] == ["one: trying", "one: no luck"]
    assert "installed in" in said[-1]


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    install(tmp_path, quiet, sources=[Source("one", put)])
    said: list[str] = []
    assert install(tmp_path, said.append, sources=[Source("two", put)]).source == "one-28.2.0"
    assert said == ["bitcoind 28.2.0 is installed"]


def test_a_broken_installation_is_replaced(tmp_path: Path) -> None:
    install(tmp_path, quiet, sources=[Source("one", put)])
    (tmp_path / "bitcoind" / "one-28.2.0" / "bin" / "bitcoind").write_text("#!/bin/sh\nexit 1\n")
    assert install(tmp_path, quiet, sources=[Source("one", put)]).version == "28.2.0"


def test_no_source_works(tmp_path: Path) -> None:
    def broken(tree: Path, report: Callable[[str], None]) -> None:
        put(tree, report)
        (tree / "bin" / "bitcoind").write_text("#!/bin/sh\necho wrong library >&2; exit 1\n")

    full = OSError(errno.ENOSPC, "No space left on device")
    sources = [Source("one", fails(SourceFailed("no luck"))), Source("two", fails(full)), Source("three", broken)]
    with pytest.raises(InstallError) as failed:
        install(tmp_path, quiet, sources=sources)
    first, one, two, three, advice = str(failed.value).splitlines()
    assert first == "no source could supply a bitcoind"
    assert one == "one: no luck"
    assert two.startswith("two: the disk is full")
    assert three.startswith("three: ")
    assert three.endswith("does not run: wrong library")
    assert "--bitcoind PATH" in advice
    assert left_in(tmp_path) == set()


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match=r"cannot install into the cache .*/file: Not a directory"):
        install(tmp_path / "file", quiet, sources=[Source("one", put)])


def test_an_interrupted_installation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        install(tmp_path, quiet, sources=[Source("one", fails(KeyboardInterrupt()))])  # type: ignore[arg-type]
    assert left_in(tmp_path) == set()


def test_a_killed_installation_leaves_nothing_usable_and_the_next_one_clears_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\nfrom bnslab.bitcoind.install import Source, install\n"
        "def fetch(tree, report): (tree / 'half').write_text(''); print('now', flush=True); sys.stdin.read()\n"
        "install(Path(sys.argv[1]), lambda line: None, sources=[Source('one', fetch)])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"now\n"
        os.kill(other.pid, signal.SIGKILL)
    (partial,) = left_in(tmp_path)
    assert partial.startswith(".partial-")
    install(tmp_path, quiet, sources=[Source("two", put)])
    assert left_in(tmp_path) == {"two-28.2.0"}


def test_two_at_once_do_the_work_once(tmp_path: Path) -> None:
    inside = threading.Event()
    waiting = threading.Event()
    fetched: list[str] = []

    def slow(tree: Path, report: Callable[[str], None]) -> None:
        inside.set()
        assert waiting.wait(10)
        fetched.append(tree.name)
        put(tree, report)

    def hear(line: str) -> None:
        if "waiting" in line:
            waiting.set()

    first = threading.Thread(target=install, args=(tmp_path, quiet), kwargs={"sources": [Source("one", slow)]})
    first.start()
    assert inside.wait(10)
    assert install(tmp_path, hear, sources=[Source("one", slow)]).source == "one-28.2.0"
    first.join()
    assert len(fetched) == 1


@contextmanager
def download_host(body: bytes, *, length: int | None = None, status: int = 200) -> Iterator[str]:
    """A web server that answers every request with `body`; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    asked: list[str] = []
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/bin"
        server.shutdown()
        thread.join()
    name = f"bitcoin-{release.VERSION}-{release.ARCHIVES[HOST].host}.tar.gz"
    assert asked == [f"/bin/bitcoin-core-{release.VERSION}/{name}"]


def archive(member: str = f"bitcoin-{release.VERSION}/bin/bitcoind") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in ((member, PROGRAM), ("../escape", b"no")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def pinned(body: bytes) -> dict[tuple[str, str], release.Archive]:
    return {HOST: release.Archive(release.ARCHIVES[HOST].host, hashlib.sha256(body).hexdigest())}


def test_release_archive(tmp_path: Path) -> None:
    body = archive()
    said: list[str] = []
    with download_host(body) as url:
        release.fetch(tmp_path, said.append, base_url=url, archives=pinned(body), host=HOST)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
    assert (tmp_path / "bin" / "bitcoind").read_bytes() == PROGRAM
    assert os.access(tmp_path / "bin" / "bitcoind", os.X_OK)
    assert said == ["release: 0.0 of 0.0 MB"]
    assert not (tmp_path.parent / "escape").exists()


def test_release_archive_with_a_wrong_digest_is_refused_and_deleted(tmp_path: Path) -> None:
    with (
        download_host(archive()) as url,
        pytest.raises(SourceFailed, match=r"was refused: expected SHA-256 98add5f2.*, got [0-9a-f]{64}"),
    ):
        release.fetch(tmp_path, quiet, base_url=url, host=HOST)
    assert list(tmp_path.iterdir()) == []


def test_release_download_that_breaks_off(tmp_path: Path) -> None:
    body = archive()
    with (
        download_host(body, length=len(body) + 10) as url,
        pytest.raises(SourceFailed, match=f"broken off after {len(body)} of {len(body) + 10} bytes"),
    ):
        release.fetch(tmp_path, quiet, base_url=url, archives=pinned(body), host=HOST)
    assert not (tmp_path / "bin").exists()


def test_release_not_on_the_server_or_no_server(tmp_path: Path) -> None:
    with download_host(b"", status=404) as url, pytest.raises(SourceFailed, match="HTTP 404 Not Found"):
        release.fetch(tmp_path, quiet, base_url=url, host=HOST)
    with pytest.raises(SourceFailed, match=r"cannot reach .*refused"):
        release.fetch(tmp_path, quiet, base_url=url, host=HOST)


def test_release_archive_without_the_program(tmp_path: Path) -> None:
    for body in (archive("bitcoin/README"), b"no archive"):
        with download_host(body) as url, pytest.raises(SourceFailed, match=r"holds no bitcoin-28\.2/bin/bitcoind"):
            release.fetch(tmp_path, quiet, base_url=url, archives=pinned(body), host=HOST)
        (tmp_path / "bin" / "bitcoind").unlink(missing_ok=True)
        (tmp_path / "bin").rmdir()


def test_release_for_an_unknown_machine(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="no archive for Plan9 vax"):
        release.fetch(tmp_path, quiet, host=("Plan9", "vax"))


def test_every_pin_is_a_digest() -> None:
    assert set(release.ARCHIVES) == {(s, m) for s, m in release.ARCHIVES if s in {"Linux", "Darwin"}}
    assert len({archive.sha256 for archive in release.ARCHIVES.values()}) == 4
    assert all(len(bytes.fromhex(archive.sha256)) == 32 for archive in release.ARCHIVES.values())
    assert len(bytes.fromhex(image.IMAGE.rpartition("@sha256:")[2])) == 32
    assert [source.name for source in SOURCES] == ["release", "debian", "image"]


def test_mirrors_of_both_forms_of_apt_sources(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.example/debian sid main\n"
        "deb [arch=amd64 signed-by=/x.gpg] http://lines.example/debian bookworm main contrib # and more\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb cdrom:[Debian]/ bookworm main\n"
        "deb http://flat.example/ ./\n"
    )
    (parts / "a.list").write_text("deb http://extra.example/apt stable main\n")
    (parts / "debian.sources").write_text(
        "Types: deb deb-src\nURIs: http://one.example/debian\n http://two.example/debian/\n"
        "# a comment inside\nSuites: bookworm bookworm-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://security.example/debian-security\nSuites: bookworm-security\nComponents: main\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: sid\nComponents: main\n"
    )
    (parts / "old.sources.bak").write_text(
        "Types: deb\nURIs: http://bak.example/debian\nSuites: sid\nComponents: main\n"
    )
    assert debian.mirrors(tmp_path) == [
        "http://one.example/debian",
        "http://two.example/debian/",
        "http://lines.example/debian",
        "http://extra.example/apt",
    ]


def test_debian_without_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"apt sources name no Debian archive|has no apt-get"):
        debian.fetch(tmp_path, quiet, apt=tmp_path)


def docker(path: Path, *, engine: int = 0, run: str = "exit 125") -> str:
    path.write_text(f'#!/bin/sh\ncase $1 in version) exit {engine};; run) echo "$@" > "$0.called"; {run};; esac\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(sys.platform != "linux", reason="a container's program runs on Linux only")
class TestImage:
    """The program taken out of a container image, through a stand-in for the docker client."""

    def test_no_client_no_daemon(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed, match=r"^docker is not installed$"):
            image.fetch(tmp_path, quiet, docker=str(tmp_path / "docker"))
        with pytest.raises(SourceFailed, match=r"^docker is installed, but its daemon does not answer$"):
            image.fetch(tmp_path, quiet, docker=docker(tmp_path / "docker", engine=1))

    def test_program_is_taken_out(self, tmp_path: Path) -> None:
        client = docker(tmp_path / "docker", run=r"printf 'the\n\0program'")
        image.fetch(tmp_path, quiet, docker=client)
        assert (tmp_path / "bin" / "bitcoind").read_bytes() == b"the\n\0program"
        called = (tmp_path / "docker.called").read_text()
        assert image.IMAGE in called
        assert "--rm" in called

    def test_engine_says_why_not(self, tmp_path: Path) -> None:
        client = docker(tmp_path / "docker", run="echo pulling >&2; echo no such image >&2; exit 125")
        with pytest.raises(SourceFailed, match=r"^no such image$"):
            image.fetch(tmp_path, quiet, docker=client)
