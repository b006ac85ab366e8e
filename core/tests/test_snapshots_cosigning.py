"""Publishers that sign each other's snapshots over HTTP, and what they refuse."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from bns.commands import snapshots
from bns.errors import InvalidInput
from bns.node.servers import Servers, Service, listen
from bns.node.snapshots import archive
from bns.node.snapshots.cosigning import MOST_BYTES, NotCosigned, ask, service_app
from bns.node.snapshots.publisher import PUBLISHED, Publisher
from tests.files import PARAMS
from tests.snapshot_nodes import KEYS, Place, configured, grow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bns.bitcoin.keys import PrivateKey

TRUSTED = [key.public_key for key in KEYS[:3]]
LABEL = 118
HASH = "ab" * 32


def publisher(directory: Path, key: PrivateKey, blocks: int = 20) -> Publisher:
    """One that has indexed some blocks and made a snapshot."""
    node = configured(directory)
    grow(node, blocks)
    made = Publisher(node.backups, node.zonefiles, PARAMS, directory / "snapshots", key, 100, TRUSTED)
    made.run_once()
    return made


def signed_by(path: Path, *keys: PrivateKey) -> bool:
    """Whether a file has signatures of these keys, and no others."""
    with path.open("rb") as file:
        trailer = archive.verify(file, [key.public_key for key in keys], len(keys))
    return len(trailer.signatures) == len(keys)


@pytest.fixture
def serve() -> Iterator[Callable[[Publisher], str]]:
    """Runs the service of a publisher; its URL."""
    with ExitStack() as stack:

        def start(served: Publisher) -> str:
            listener = listen("test", "127.0.0.1", 0)
            servers = Servers([Service(service_app(served), listener)])
            stack.callback(servers.stop)
            servers.start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start


def call(url: str, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> tuple[int, Any]:
    with closing(HTTPConnection(url.removeprefix("http://"))) as connection:
        connection.request(method, path, body, {"Content-Type": kind} if method == "POST" else {})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())


def test_publishers_sign_what_each_has_made(tmp_path: Path, serve: Callable[[Publisher], str]) -> None:
    one, two, three = (publisher(tmp_path / str(number), KEYS[number]) for number in range(3))
    for _ in range(2):  # asking again changes nothing
        ask(one, serve(two), LABEL)
        for each in (one, two):
            assert signed_by(each.directory / f"{PUBLISHED}.{LABEL}", KEYS[0], KEYS[1])
            assert signed_by(each.directory / PUBLISHED, KEYS[0], KEYS[1])
    ask(one, serve(three) + "/", LABEL)
    assert signed_by(one.directory / PUBLISHED, *KEYS[:3])
    assert signed_by(two.directory / PUBLISHED, *KEYS[:2])
    assert Place(tmp_path / "copy", PARAMS).restore(one.directory / PUBLISHED, KEYS[:3], 3) == LABEL + 1
    assert sorted(path.name for path in one.directory.iterdir()) == [PUBLISHED, f"{PUBLISHED}.{LABEL}"]


def test_an_older_snapshot_does_not_become_the_published_one(tmp_path: Path, serve: Callable[[Publisher], str]) -> None:
    one, two = (publisher(tmp_path / str(number), KEYS[number]) for number in range(2))
    grow(Place(tmp_path / "0", PARAMS), 21)
    assert one.run_once() == [LABEL + 1]
    ask(one, serve(two), LABEL)
    assert signed_by(one.directory / f"{PUBLISHED}.{LABEL}", *KEYS[:2])
    assert signed_by(one.directory / PUBLISHED, KEYS[0])
    with pytest.raises(NotCosigned, match=r"HTTP 404: .*Failed to query local snapshot hash"):
        ask(one, serve(two), LABEL + 1)


def test_a_snapshot_that_differs_is_not_signed(tmp_path: Path, serve: Callable[[Publisher], str]) -> None:
    one, two = (publisher(tmp_path / str(number), KEYS[number]) for number in range(2))
    path = two.directory / f"{PUBLISHED}.{LABEL}"
    path.write_bytes(b"x" + path.read_bytes())
    before = path.read_bytes()
    with pytest.raises(NotCosigned, match=r"^http://127\.0\.0\.1:\d+: HTTP 409: .*The snapshot here is another one"):
        ask(one, serve(two), LABEL)
    assert path.read_bytes() == before
    assert signed_by(one.directory / PUBLISHED, KEYS[0])


# Requests that nobody who is meant to would send


def request(**changes: object) -> bytes:
    signature = base64.b64encode(KEYS[1].sign_compact(bytes.fromhex(HASH))).decode()
    fields = {"block_height": LABEL, "file_hash": HASH, "sigb64": signature, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def signature_of(key: PrivateKey) -> str:
    return base64.b64encode(key.sign_compact(bytes.fromhex(HASH))).decode()


INVALID = 401, {"error": "Invalid snapshot request"}
FORBIDDEN = 403, {"error": "Invalid signature"}
NOTHING = 404, {"error": "No such method"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Publisher]]:
    made = publisher(tmp_path_factory.mktemp("served"), KEYS[0])
    listener = listen("test", "127.0.0.1", 0)
    servers = Servers([Service(service_app(made), listener)])
    servers.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", made
    servers.stop()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", INVALID),
        (b"\xff", INVALID),
        (b"[]", INVALID),
        (b"[" * MOST_BYTES, INVALID),
        (request(block_height=None), INVALID),
        (request(block_height=-1), INVALID),
        (request(block_height=10**30), INVALID),
        (request(block_height="118"), INVALID),
        (request(file_hash="ab" * 31), INVALID),
        (request(file_hash="zz" * 32), INVALID),
        (request(file_hash=f"{HASH}\n"), INVALID),
        (request(sigb64="?"), INVALID),
        (request(sigb64="\u00e9"), INVALID),
        (request(more=1), INVALID),
        (request().ljust(MOST_BYTES + 1), INVALID),
        (request(block_height=1), (404, {"error": "Failed to query local snapshot hash"})),
        (request(sigb64=""), FORBIDDEN),
        (request(sigb64=signature_of(KEYS[5])), FORBIDDEN),
        (request(sigb64=signature_of(KEYS[0])), FORBIDDEN),  # its own
        (request(file_hash="cd" * 32), FORBIDDEN),
        (request(), (409, {"error": "The snapshot here is another one"})),
    ],
)
def test_requests_that_are_refused(body: bytes, expected: tuple[int, Any], served: tuple[str, Publisher]) -> None:
    url, made = served
    before = (made.directory / PUBLISHED).read_bytes()
    assert call(url, "POST", "/v1/snapshots", body) == expected
    assert (made.directory / PUBLISHED).read_bytes() == before


def test_other_requests(served: tuple[str, Publisher]) -> None:
    url, _ = served
    assert call(url, "GET", "/v1/ping") == (200, {"status": "alive"})
    assert call(url, "GET", "/v1/snapshots") == NOTHING
    assert call(url, "POST", "/v1/ping") == NOTHING
    assert call(url, "POST", "/v1/snapshots", request(), kind="text/plain") == INVALID


# Answers that are none


class Liar(BaseHTTPRequestHandler):
    """Answers what it is told to."""

    said = b""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def liar() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Liar) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_answers_that_are_no_signatures(tmp_path: Path, liar: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = publisher(tmp_path / "one", KEYS[0])
    digest = one.digest(LABEL)
    wrong = KEYS[5].sign_compact(digest), KEYS[0].sign_compact(digest), KEYS[1].sign_compact(bytes(32)), b""
    nonsense = b"", b"\xff", b"{}", b'{"sigb64": 1}', b'{"sigb64": "?"}', b" " * (MOST_BYTES + 1) + b"{}"
    answers = [(json.dumps({"sigb64": base64.b64encode(each).decode()}).encode(), "by another one") for each in wrong]
    for said, complaint in [*answers, *((each, "signature as JSON") for each in nonsense)]:
        monkeypatch.setattr(Liar, "said", said)
        with pytest.raises(NotCosigned, match=f"^{liar}: expected a .*{complaint}"):
            ask(one, liar, LABEL)
    assert signed_by(one.directory / PUBLISHED, KEYS[0])


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    one = publisher(tmp_path / "one", KEYS[0])
    with pytest.raises(InvalidInput, match="URL of a publisher: expected one that begins with http or https"):
        ask(one, "ftp://127.0.0.1/", LABEL)
    with pytest.raises(InvalidInput, match=r"snapshot: expected one that is in .*, got 7"):
        ask(one, "http://127.0.0.1:1", 7)
    for url in ("http://[", "http://", "http://127.0.0.1:x"):
        with pytest.raises(NotCosigned):
            ask(one, url, LABEL)
    with closing(listen("test", "127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotCosigned, match=f"^http://127.0.0.1:{port}: .*refused"):
        ask(one, f"http://127.0.0.1:{port}", LABEL)


def test_the_command(tmp_path: Path, serve: Callable[[Publisher], str], capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (publisher(tmp_path / str(number), KEYS[number]) for number in range(2))
    (tmp_path / "key").write_text(KEYS[0].secret.hex())
    (tmp_path / "trusted").write_text("\n".join(key.hex() for key in TRUSTED))
    url = serve(two)
    options = [
        f"--config_file={tmp_path / 'service.ini'}", f"--private_key={tmp_path / 'key'}",
        f"--public_keys={tmp_path / 'trusted'}", f"--snapshots={one.directory}", f"--working_dir={tmp_path / '0'}",
    ]  # fmt: skip
    assert snapshots.main(["cosign", url, *options]) == 0
    assert capsys.readouterr() == (f"{url} has signed snapshot {LABEL}\n", "")
    assert signed_by(one.directory / PUBLISHED, KEYS[0], KEYS[1])
    assert snapshots.main(["cosign", url, "--height=7", *options]) == 2
    assert capsys.readouterr().err.startswith("blockstack-snapshots: snapshot: expected one that is in ")
