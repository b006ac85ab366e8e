"""Source "release": the archive of Bitcoin Core's own release, held to a known SHA-256."""

from __future__ import annotations

import hashlib
import http.client
import platform
import shutil
import tarfile
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

from bnslab.bitcoind.errors import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BASE_URL = "https://bitcoincore.org/bin"
VERSION = "28.2"


class Archive(NamedTuple):
    """One platform's archive: the middle of its file name and its SHA-256 in hex."""

    host: str
    sha256: str


ARCHIVES = {
    ("Linux", "x86_64"): Archive(
        "x86_64-linux-gnu", "98add5f220c01b387343b70edeb6273403fe081e22cd85fda132704cdcaa98aa"
    ),
    ("Linux", "aarch64"): Archive(
        "aarch64-linux-gnu", "10581b6d4aeb091c08c9e69eb4e4ced000038c009286dc1edb8a876656ccf6df"
    ),
    ("Darwin", "x86_64"): Archive(
        "x86_64-apple-darwin", "866a4b703a2095301151c17dcc753e19e4dba61ec68d19709ec4f81ff4320103"
    ),
    ("Darwin", "arm64"): Archive(
        "arm64-apple-darwin", "c0270ed50effc174f7ff3332dba5183a8693999dac2ba78b37d8c8797b3ea2b2"
    ),
}
"""By what `platform.system()` and `platform.machine()` say."""

_CHUNK = 1 << 18
_STALLED_AFTER = 20.0


def fetch(
    tree: Path,
    report: Callable[[str], None],
    *,
    base_url: str = BASE_URL,
    archives: Mapping[tuple[str, str], Archive] = ARCHIVES,
    host: tuple[str, str] | None = None,
) -> None:
    """Download the archive for `host` (default: this machine), verify it and put its program at `tree/bin/bitcoind`.

    Raises SourceFailed for an unknown platform, an unreachable server and a wrong digest.
    """
    key = host or (platform.system(), platform.machine())
    archive = archives.get(key)
    if archive is None:
        raise SourceFailed(f"no archive for {' '.join(key)}")
    name = f"bitcoin-{VERSION}-{archive.host}.tar.gz"
    packed = tree / name
    digest = _download(f"{base_url}/bitcoin-core-{VERSION}/{name}", packed, report)
    if digest != archive.sha256:
        packed.unlink()
        raise SourceFailed(f"{name} was refused: expected SHA-256 {archive.sha256}, got {digest}")
    _unpack(packed, f"bitcoin-{VERSION}/bin/bitcoind", tree)
    packed.unlink()


def _download(url: str, target: Path, report: Callable[[str], None]) -> str:
    digest = hashlib.sha256()
    done = reported = 0
    try:
        with urllib.request.urlopen(url, timeout=_STALLED_AFTER) as answer, target.open("wb") as file:
            size = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if size and done * 10 // size > reported:
                    reported = done * 10 // size
                    report(f"release: {done / 1e6:.1f} of {size / 1e6:.1f} MB")
    except urllib.error.HTTPError as error:
        raise SourceFailed(f"{url}: HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise SourceFailed(f"cannot reach {url}: {error.reason}") from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise SourceFailed(f"{url}: broken off after {done} bytes: {error}") from error
    if done < size:
        raise SourceFailed(f"{url}: broken off after {done} of {size} bytes")
    return digest.hexdigest()


def _unpack(packed: Path, member: str, tree: Path) -> None:
    program = tree / "bin" / "bitcoind"
    program.parent.mkdir()
    try:
        with tarfile.open(packed) as archive:
            source = archive.extractfile(member)
            if source is None:
                raise SourceFailed(f"{packed.name}: {member} is not a file")
            with source, program.open("wb") as target:
                shutil.copyfileobj(source, target)
    except (KeyError, tarfile.TarError, EOFError) as error:
        raise SourceFailed(f"{packed.name} holds no {member}: {error}") from error
    program.chmod(0o755)
