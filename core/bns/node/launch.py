"""How a node gets its process: in the foreground, or as a daemon that says when it is ready (spec 08 section 6.2)."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bns.errors import BnsError
from bns.node.expected import read_expected
from bns.node.pidfile import FILE_NAME, PidFile
from bns.node.receipts import ReceiptPipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bns.node.config import Config

log = logging.getLogger("bns.node")

LOG_NAME = "blockstack-server.log"
READY = b"ready"


@dataclass(frozen=True)
class Orders:
    """A configuration, and what the command line says about this run.

    ready_fd is a descriptor on which the daemon says that it is ready, or why it is not; receipts_fd one on which
    a node in the foreground tells of each block (bns.node.receipts), with tell_zonefiles of each zone file too.
    hosts_file has all hosts of the web that a node in the foreground is to find (bns.identity.hosts).
    """

    config: Config
    debug: bool = False
    port: int | None = None
    api_port: int | None = None
    expected_snapshots: Path | None = None
    no_api: bool = False
    ready_fd: int | None = None
    receipts_fd: int | None = None
    tell_zonefiles: bool = False
    hosts_file: Path | None = None


def in_foreground(orders: Orders) -> None:
    """Run a node until it is asked to stop, logging to stderr. Raises AlreadyRunning, and what daemon.run raises."""
    level = logging.DEBUG if orders.debug else logging.INFO
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    log.setLevel(level)
    try:
        _run(orders)
    except (BnsError, OSError) as error:
        answer(orders.ready_fd, str(error).encode())
        raise


def _run(orders: Orders) -> None:
    # with all that a node needs, which whoever only starts a daemon does not
    from bns.node import daemon
    from bns.node.follow import NOBODY, Listener

    config = orders.config
    if orders.port is not None:
        config = replace(config, node=replace(config.node, rpc_port=orders.port))
    if orders.api_port is not None:
        config = replace(config, api=replace(config.api, api_port=orders.api_port))
    expected = read_expected(orders.expected_snapshots) if orders.expected_snapshots else {}
    serve_api = config.api.enabled and not orders.no_api
    receipts = None if orders.receipts_fd is None else ReceiptPipe(orders.receipts_fd)

    def ready() -> None:
        log.info("the node is ready")
        if receipts is not None:
            receipts.begin()
        if orders.ready_fd is not None:
            os.chdir("/")  # whoever unmounts the directory it was started in shall be free to
            answer(orders.ready_fd, READY)

    listener = NOBODY
    if receipts is not None:
        zonefile = receipts.write_zonefile if orders.tell_zonefiles else None
        listener = Listener(receipts.write, receipts.rolled_back, zonefile)
    with closing(PidFile(config.working_dir / FILE_NAME)):
        daemon.run(
            config, serve_api=serve_api, expected=expected, ready=ready, listener=listener,
            hosts_file=orders.hosts_file,
        )  # fmt: skip
    log.info("the node has stopped")


def answer(ready_fd: int | None, text: bytes) -> None:
    """Tell whoever waits for a daemon that it is ready, or why it is not."""
    if ready_fd is None:
        return
    try:
        os.write(ready_fd, text)
        os.close(ready_fd)
    except OSError:
        pass  # told already, or whoever waited has gone


def in_background(orders: Orders, rules: Mapping[str, str]) -> tuple[int, str]:
    """Start a daemon and wait until it is ready: exit status 0, or that of the daemon, and its complaint.

    rules are the variables that came from the command line.
    """
    command = ["bns.cli", "start", "--foreground", *_arguments(orders, rules)]
    return detach(command, orders.config.working_dir / LOG_NAME)


def detach(command: Sequence[str], log_path: Path) -> tuple[int, str]:
    """Start a module with arguments as a daemon that takes --ready-fd; what it answers there as in in_background."""
    reader, writer = os.pipe()
    log_file = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, f"--ready-fd={writer}"],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            pass_fds=(writer,),
            start_new_session=True,
        )
    finally:
        os.close(log_file)
        os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        answered = answers.read()
    if answered == READY:
        process.returncode = 0  # it lives on, and nobody waits for it
        return 0, ""
    return process.wait() or 1, answered.decode(errors="replace") or f"the node ended at once: see {log_path}"


def _arguments(orders: Orders, rules: Mapping[str, str]) -> list[str]:
    arguments = [f"--working-dir={orders.config.working_dir}", f"--config={orders.config.path}"]
    arguments += [f"--{name.removeprefix('BLOCKSTACK_').lower()}" for name in rules]
    if orders.debug:
        arguments.append("--debug")
    if orders.no_api:
        arguments.append("--no-api")
    if orders.port is not None:
        arguments.append(f"--port={orders.port}")
    if orders.api_port is not None:
        arguments.append(f"--api-port={orders.api_port}")
    if orders.expected_snapshots is not None:
        arguments.append(f"--expected-snapshots={orders.expected_snapshots.absolute()}")
    return arguments
