"""Profiles from the web: real servers on loopback, and hosts that are not what they seem."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from bns.identity.profiles import ProfileFinder
from bns.identity.tokens import sign_token
from bns.identity.web import Limits, NotFetched, Web, is_public
from tests.subdomain_chain import K1, address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLAIM = {"name": "Bar"}
TOKEN = sign_token(CLAIM, K1).encode()
PUBLIC = "93.184.216.34"


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def serving(*answers: bytes, stays: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, one a connection; its address, and the requests it has seen.

    One that stays does not close its last connection before the end.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []
    end = threading.Event()

    def serve() -> None:
        for number, reply in enumerate(answers):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536))
                connection.sendall(reply)
                if stays and number == len(answers) - 1:
                    end.wait()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        end.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def resolving(*addresses: str) -> Callable[..., list[tuple[Any, ...]]]:
    """A name server that gives one address after the other, the last one for ever."""
    left = list(addresses)

    def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    return resolve


def get(url: str, web: Web | None = None) -> bytes:
    return anyio.run((web or Web(allow_loopback=True)).get, url)


def refused(url: str, web: Web | None = None) -> str:
    with pytest.raises(NotFetched) as caught:
        get(url, web)
    return str(caught.value).removeprefix(f"{url}: ")


def test_a_document() -> None:
    with serving(answer(b"hello")) as (url, seen):
        assert get(f"{url}/hub/1abc/profile.json?x=1") == b"hello"
    assert seen[0].startswith(b"GET /hub/1abc/profile.json?x=1 HTTP/1.1\r\n")
    assert b"accept-encoding: identity" in seen[0].lower()


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "500 Oops"])
def test_any_other_status(status: str) -> None:
    with serving(answer(b"", status)) as (url, _):
        assert refused(url) == f"expected status 200, got {status[:3]}"


def test_redirects_are_followed_so_far() -> None:
    again = answer(b"", "302 Found", "Location: /next")
    with serving(again, again, answer(b"there")) as (url, seen):
        assert get(url) == b"there"
        assert seen[1].startswith(b"GET /next ")
    with serving(*[again] * 6) as (url, seen):
        assert refused(url) == "expected at most 5 redirects"
    assert len(seen) == 6


def test_no_more_is_read_than_the_limit() -> None:
    web = Web(Limits(size=1000), allow_loopback=True)
    with serving(answer(b"x" * 1000), answer(b"x" * 1001)) as (url, _):
        assert len(get(url, web)) == 1000
        assert refused(url, web) == "expected at most 1000 bytes"
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"800\r\n" + b"x" * 2048 + b"\r\n"
    with serving(endless, stays=True) as (url, _):
        assert refused(url, web) == "expected at most 1000 bytes"


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\n", answer(b"hello")[:-1]])
def test_no_longer_is_waited_than_the_limit(begin: bytes) -> None:
    with serving(begin, stays=True) as (url, _):
        assert refused(url, Web(Limits(seconds=0.05), allow_loopback=True)) == "expected an answer within 0.05 s"


def test_a_name_server_that_hangs_is_not_waited_for() -> None:
    end = threading.Event()

    def hang(*_: object, **__: object) -> list[tuple[Any, ...]]:
        end.wait()
        return []

    try:
        assert refused("http://slow.test", Web(Limits(seconds=0.05), resolve=hang)).endswith("within 0.05 s")
    finally:
        end.set()


@pytest.mark.parametrize(
    "url",
    ["", "profile.json", "file://localhost/etc/passwd", "ftp://x/y", "http://", "http://[::1", "http://x:99999/", "http://ü/",
     "http://x/\r\nHost: y", "gopher://127.0.0.1/"],
)  # fmt: skip
def test_what_is_no_url_of_the_web(url: str) -> None:
    assert refused(url)


def test_garbage_for_an_answer() -> None:
    with serving(b"SSH-2.0-OpenSSH\r\n", b"", answer(b"hello")[:20]) as (url, _):
        assert [bool(refused(url)) for _ in range(3)] == [True] * 3
    assert "onnect" in refused(url)


# Where it may not go

PRIVATE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1",
)  # fmt: skip


@pytest.mark.parametrize("ip", PRIVATE)
def test_addresses_that_are_not_on_the_internet(ip: str) -> None:
    assert not is_public(ip)
    told = refused("http://innocent.example/profile.json", Web(resolve=resolving(ip)))
    assert told == f"expected innocent.example to be on the internet, got {ip}"


@pytest.mark.parametrize("ip", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_on_the_internet(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]"])
def test_this_machine_by_any_name(host: str) -> None:
    with serving(answer(b"secret")) as (url, seen):
        port = url.rpartition(":")[2]
        assert refused(f"http://{host}:{port}/", Web())
    assert seen == []


def test_loopback_is_all_that_can_be_allowed() -> None:
    for ip in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "fe80::1"):
        assert "to be on the internet" in refused("http://x.test", Web(allow_loopback=True, resolve=resolving(ip)))


def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name server that answers a public address first and loopback from then on is asked once for a connection."""
    asked: list[str] = []
    resolve = resolving("127.0.0.1", PUBLIC)

    def counting(host: str, port: int, **rest: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        return resolve(host, port, **rest)

    with serving(answer(b"hello")) as (url, seen):
        port = url.rpartition(":")[2]
        assert get(f"http://rebinding.test:{port}/", Web(allow_loopback=True, resolve=counting)) == b"hello"
    assert asked == ["rebinding.test"]
    assert b"host: rebinding.test" in seen[0].lower()


def test_a_redirect_is_checked_again() -> None:
    with serving(answer(b"secret")) as (target, seen):
        port = target.rpartition(":")[2]
        moved = answer(b"", "302 Found", f"Location: http://inside.test:{port}/admin")
        with serving(moved) as (url, _):
            web = Web(allow_loopback=True, resolve=resolving("127.0.0.1", "10.0.0.1"))
            assert refused(url, web) == "expected inside.test to be on the internet, got 10.0.0.1"
        assert seen == []
    with serving(answer(b"", "302 Found", "Location: file://localhost/etc/passwd")) as (url, _):
        assert "HTTP" in refused(url)


# From URLs to a profile


def find(*targets: str, **limits: Any) -> object:
    profile = ProfileFinder(Web(allow_loopback=True), **limits)(targets, address(K1))
    return None if profile is None else profile.claim


def test_the_first_good_profile_counts() -> None:
    other = sign_token({"name": "Other"}, K1).encode()
    with serving(answer(b"", "404 No"), answer(b"junk"), answer(TOKEN), answer(other)) as (url, _):
        targets = [f"{url}/{number}" for number in range(3)]
        assert find("mailto:x", *targets) == CLAIM


def test_there_may_be_none() -> None:
    assert find() is None
    with serving(answer(b"junk")) as (url, seen):
        assert find(url) is None
    assert len(seen) == 1


def test_only_so_many_urls_are_tried_and_only_so_long() -> None:
    with serving(answer(b""), answer(b""), answer(TOKEN)) as (url, seen):
        assert find(url, url, url, most_targets=2) is None
    assert len(seen) == 2
    with serving(b"", stays=True) as (url, _):
        assert find(url, seconds=0.05) is None
