"""The node's command and its processes, for tests that have them as users do."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from configparser import RawConfigParser
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

from bnslab.http import HttpClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bnslab.bitcoind import PortPool, RegtestNode
    from bnslab.lab import Lab

WAIT_SECONDS = 60.0


def credentials(node: RegtestNode) -> dict[str, str]:
    """The settings of a node, rpcuser and rpcpassword among them."""
    lines = (node.directory / "bitcoin.conf").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


class Process:
    """A node in the foreground, whose log is read line by line."""

    def __init__(self, arguments: list[str]) -> None:
        self.popen = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
        self._text = b""
        self._lines: list[str] = []

    def wait_for(self, text: str) -> str:
        """Read the log up to a line with a text; that line."""
        assert self.popen.stderr is not None
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            while b"\n" in self._text:
                line, _, self._text = self._text.partition(b"\n")
                self._lines.append(line.decode())
                if text in self._lines[-1]:
                    return self._lines[-1]
            readable, _, _ = select.select([self.popen.stderr], [], [], deadline - time.monotonic())
            chunk = os.read(self.popen.stderr.fileno(), 4096) if readable else b""
            assert chunk, f"expected {text!r} in the log, got {self._lines[-5:]} {self._text!r}"
            self._text += chunk

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; the exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(WAIT_SECONDS)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.end(signal.SIGKILL)
        assert self.popen.stderr is not None
        self.popen.stderr.close()


class Core:
    """The command, for one working directory."""

    def __init__(self, directory: Path, lab: Lab, node: RegtestNode, ports: PortPool, stack: ExitStack) -> None:
        self.directory = directory
        self.rpc_port, self.api_port = ports.take(), ports.take()
        self._stack = stack
        self.ini = directory / "blockstack-server.ini"
        secrets = credentials(node)
        self.write(
            {
                "blockstack": {"server_version": "19.0.8.1", "rpc_port": self.rpc_port, "backup_frequency": 4},
                "blockstack-api": {"api_port": self.api_port},
                "bitcoind": {
                    "server": "127.0.0.1",
                    "port": node.rpc_port,
                    "user": secrets["rpcuser"],
                    "passwd": secrets["rpcpassword"],
                    "regtest": "yes",
                },
                "environment": lab.params.to_reference_env(),
            }
        )

    def write(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        self.directory.mkdir(exist_ok=True)
        text = [f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) for name, keys in sections.items()]
        self.ini.write_text("\n".join(text))

    def set(self, section: str, key: str, value: object) -> None:
        parser = RawConfigParser()
        parser.read(self.ini)
        parser.set(section, key, str(value))
        with self.ini.open("w") as file:
            parser.write(file)

    def arguments(self, *arguments: object) -> list[str]:
        given = [str(argument) for argument in arguments]
        return [sys.executable, "-W", "error", "-m", "bns.cli", *given, f"--working-dir={self.directory}"]

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Run a command; its exit status, standard output and standard error."""
        done = subprocess.run(
            self.arguments(*arguments), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments: object) -> Process:
        """A node in the foreground, killed when the test ends."""
        process = Process(self.arguments("start", "--foreground", "--debug", *arguments))
        self._stack.callback(process.close)
        return process

    def get(self, path: str) -> Any:
        with closing(HttpClient(f"http://127.0.0.1:{self.api_port}")) as client:
            return client.get(path).json()

    def rpc(self, method: str, *arguments: object) -> Any:
        with ServerProxy(f"http://127.0.0.1:{self.rpc_port}") as proxy:
            return json.loads(str(getattr(proxy, method)(*arguments)))
