"""A node of a network in a process of its own."""

from __future__ import annotations

import base64
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from bns.atlas.constants import HASHES_AT_ONCE, INVENTORY_BYTES
from bnslab import xmlrpc
from bnslab.http import HttpClient
from bnslab.nodes.process import start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bnslab.http import Response
    from bnslab.nodes.child import Child

_ANSWER_SECONDS = 60.0
_HEIGHTS_AT_ONCE = 32


class Ports(NamedTuple):
    """Where a node answers on loopback, and the port that it tells its peers: another one if none shall call it."""

    rpc: int
    rest: int
    told: int


class _Line(msgspec.Struct, frozen=True):
    """What a node tells of a block, or of a zone file (bns.node.receipts)."""

    height: int = 0
    block_hash: str = ""
    zonefile: str = ""


class PeerProcess:
    """`blockstack-core` in a process of its own, which takes part in the peer network.

    What it tells is noted by a thread, with `changed` held, and notified of. It is killed with close, with the harness,
    or with its run directory.
    """

    def __init__(self, host: str, directory: Path, ports: Ports, changed: threading.Condition) -> None:
        """It has a configuration in its directory, and does not run yet."""
        self.host = host
        self.directory = directory
        self.ports = ports
        self.holdings = RemoteHoldings(self)
        self.tips: dict[int, str] = {}
        """Hashes of the blocks that it has told of, by height."""
        self.files: set[str] = set()
        """Hashes of the zone files that it has told of."""
        self.ready = False
        """Whether it answers."""
        self._telling = False
        self._changed = changed
        self._child: Child | None = None
        self._listener: threading.Thread | None = None
        self._rpc = HttpClient(f"http://127.0.0.1:{ports.rpc}", seconds=_ANSWER_SECONDS)
        self._rest = HttpClient(f"http://127.0.0.1:{ports.rest}", seconds=_ANSWER_SECONDS)

    @property
    def address(self) -> str:
        """Its host:port, as its peers are told."""
        return f"127.0.0.1:{self.ports.told}"

    @property
    def is_up(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._child is not None

    def start(self) -> None:
        """Run it on the files that it has. It is up at once, and ready later."""
        self.ready, self._telling = False, True
        self._child = start(self.directory, "--tell-zonefiles", what=self.host)
        reader = os.dup(self._child.reader)
        self._listener = threading.Thread(target=self._listen, args=(reader,), name=self.host, daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """Ask it to end, and wait; its files stay. NodeFailed unless it ends well."""
        child = self._hang_up()
        if child is not None:
            child.stop()
        self._join()

    def close(self) -> None:
        """Kill it, and remove its files."""
        child = self._hang_up()
        if child is not None:
            child.end()
        self._join()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _hang_up(self) -> Child | None:
        child, self._child = self._child, None
        self._rpc.close()
        self._rest.close()
        return child

    def _join(self) -> None:
        if self._listener is not None:
            self._listener.join()

    def require_running(self) -> None:
        """NodeFailed if it was started and has ended by itself."""
        if self._child is not None and not self._telling:
            raise self._child.ended()

    def _listen(self, reader: int) -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                with self._changed:
                    self._note(line)
                    self._changed.notify_all()
        with self._changed:
            self._telling = False
            self._changed.notify_all()

    def _note(self, line: bytes) -> None:
        if line == b"\n":
            self.ready = True
            return
        told = msgspec.json.decode(line, type=_Line | int)
        if isinstance(told, int):
            self.tips = {height: hash_ for height, hash_ in self.tips.items() if height <= told}
        elif told.zonefile:
            self.files.add(told.zonefile)
        else:
            self.tips[told.height] = told.block_hash

    def get(self, path: str) -> Response:
        """The REST answer to a GET."""
        return self._rest.get(path)

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - any JSON value
        """What it answers an RPC call with, parsed."""
        return orjson.loads(xmlrpc.call(self._rpc, method, arguments))

    def consensus_hashes(self, first: int, last: int) -> dict[int, str | None]:
        """Its consensus hashes from a height to another."""
        found: dict[int, str | None] = {}
        for begin in range(first, last + 1, _HEIGHTS_AT_ONCE):
            heights = list(range(begin, min(begin + _HEIGHTS_AT_ONCE, last + 1)))
            answer = self.call("get_consensus_hashes", heights)["consensus_hashes"]
            found |= {int(height): hash_ for height, hash_ in answer.items()}
        return found


class RemoteHoldings:
    """The zone files of a process, asked of its RPC server."""

    def __init__(self, peer: PeerProcess) -> None:
        self._peer = peer

    def put(self, data: bytes) -> bool:
        """Hand over a zone file; whether it is kept."""
        return bool(self._peer.call("put_zonefiles", [base64.b64encode(data).decode()])["saved"][0])

    def stored(self, hash_: str) -> bytes | None:
        """A zone file by its hash (40 hex)."""
        return self.several([hash_]).get(hash_)

    def several(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """Those of some zone files that are here, by hash."""
        found: dict[str, str] = {}
        for begin in range(0, len(hashes), HASHES_AT_ONCE):
            found |= self._peer.call("get_zonefiles", hashes[begin : begin + HASHES_AT_ONCE])["zonefiles"]
        return {hash_: base64.b64decode(text) for hash_, text in found.items()}

    def inventory(self) -> bytes:
        """One bit for each announcement: 1 if its zone file is here."""
        return base64.b64decode(self._peer.call("get_zonefile_inventory", 0, INVENTORY_BYTES)["inv"])
