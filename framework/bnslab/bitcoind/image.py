"""Source "image": the program taken out of a container image of Bitcoin Core, where a container engine answers.

The image is named by its digest, which the engine verifies. Only the program is kept: it needs nothing but the C
library of the machine, so no container runs afterwards and none can be left behind.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from bnslab.bitcoind import guard
from bnslab.bitcoind.errors import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE = "docker.io/bitcoin/bitcoin:31.1@sha256:da25cedc66b1daefff9f412ee196c901a899c3fa68a33b20849c3e08b5c40d63"
_ENGINE_ANSWERS_WITHIN = 10.0


def fetch(tree: Path, report: Callable[[str], None], *, docker: str = "docker", image: str = IMAGE) -> None:
    """Put the image's program at `tree/bin/bitcoind`; `docker` is the command line client.

    Raises SourceFailed with the reason in a few words.
    """
    if not guard.is_linux():
        raise SourceFailed("a container's program runs on Linux only")
    absent = engine_absent(docker)
    if absent:
        raise SourceFailed(absent)
    report(f"image: fetching {image.partition('@')[0]}")
    program = tree / "bin" / "bitcoind"
    program.parent.mkdir()
    print_program = 'exec cat "$(command -v bitcoind)"'
    with program.open("wb") as target:
        done = subprocess.run(
            [docker, "run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", print_program],
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceFailed(said[-1] if said else f"docker ended with status {done.returncode}")
    program.chmod(0o755)


def engine_absent(docker: str = "docker") -> str | None:
    """Why no container engine can be used, in a few words; None when one answers."""
    if shutil.which(docker) is None:
        return "docker is not installed"
    try:
        subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ENGINE_ANSWERS_WITHIN,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return "docker is installed, but its daemon does not answer"
    return None
