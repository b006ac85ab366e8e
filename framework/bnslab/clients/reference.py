"""The reference's own Python client, in the Python 2.7 that the reference is installed for."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnslab.bitcoind import guard
from bnslab.clients.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bnslab.nodes.reference import Reference

DRIVER = Path(__file__).parents[1] / "nodes" / "reference" / "python2" / "client.py"
_ANSWERS_WITHIN = 300.0


class ReferenceClient:
    """Calls functions of the client's module on a node.

    url is that of the node's XML-RPC interface. rules are the BLOCKSTACK_ variables of the node's chain, which the
    client has to know too. Files go below run_dir.
    """

    def __init__(self, reference: Reference, run_dir: Path, url: str, rules: Mapping[str, str]) -> None:
        self._reference = reference
        self._run_dir = run_dir.resolve()
        self._url = url
        self._rules = rules

    def call(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """What the functions give for their positional arguments, one process for all; the node is added by itself.

        An exception is an answer too: {"exception": "Type: text"}. Raises ClientError if the client cannot run.
        """
        directory = self._run_dir / secrets.token_hex(8)
        directory.mkdir(mode=0o700)
        reference = self._reference
        command = [str(reference.python.program), "-B", "-S", str(DRIVER), self._url]
        environment = {**self._rules, "HOME": str(directory), "PYTHONPATH": str(reference.packages)}
        try:
            done = subprocess.run(
                [*guard.spawn_prefix(), *command],
                input=json.dumps(calls).encode(),
                capture_output=True,
                timeout=_ANSWERS_WITHIN,
                env=environment,
                cwd=directory,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ClientError(f"the reference's client cannot run: {error}") from error
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise ClientError(f"the reference's client ended with status {done.returncode}: {said[-1]}")
        answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
        return answers
