"""Compares the answers of the RPC and REST interfaces with those that a fixture recorded (docs/fixture-format.md)."""

from __future__ import annotations

import json
import re
import tomllib
import xmlrpc.client
from collections import Counter
from contextlib import ExitStack
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from bns.api import rpc
from bns.api.rest import rest_app
from bnslab.errors import LabError
from bnslab.http import AsgiClient, HttpClient, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bns.api.records import NodeView
    from bnslab.fixtures import Fixture
    from bnslab.http import Client

WAYS = ("calls", "sockets")
"""How answers are asked for: in this process, or from servers on ports of 127.0.0.1."""

Calls = dict[str, msgspec.Raw]
"""Recorded answers by call, as JSON."""

T = TypeVar("T")

_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_VARIABLE = re.compile(
    r"(names|users|dids|zonefiles?|subdomains|operations|namespaces|bitcoin|addr)/(?=[^/]*[\d.])[^/]+"
)
_LONGEST_NUMBER = 4000
# Recorded where the reference's recorder failed, not the reference.
_NOT_RECORDED = "rig_error"
_FAULT = "xmlrpc_fault"


class Known(NamedTuple):
    """A difference that is meant: patterns of the call, of the recorded answer and of ours, and the reason."""

    call: re.Pattern[str]
    expected: re.Pattern[str]
    actual: re.Pattern[str]
    reason: str

    def covers(self, difference: AnswerDifference) -> bool:
        """Whether a difference is this one."""
        return bool(
            self.call.fullmatch(difference.call)
            and self.expected.search(difference.expected)
            and self.actual.search(difference.actual)
        )


class AnswerDifference(NamedTuple):
    """An answer that is not the recorded one: the call, when (`block 700` or `end`), and both answers as JSON text."""

    call: str
    moment: str
    expected: str
    actual: str


class AnswersDiffer(LabError):
    """Answers differ from those of a fixture."""

    def __init__(self, differences: list[AnswerDifference]) -> None:
        self.differences = differences
        self.first = differences[0]
        kinds = Counter(kind_of(difference.call) for difference in differences)
        self.summary = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        super().__init__(f"{self.first.call} at {self.first.moment}; in all: {self.summary}")


@cache
def known_differences() -> tuple[Known, ...]:
    """The differences that are meant, from differences.toml."""
    entries = tomllib.loads(files("bnslab").joinpath("differences.toml").read_text())["difference"]
    return tuple(
        Known(re.compile(e["call"], re.DOTALL), re.compile(e["expected"]), re.compile(e["actual"]), e["reason"])
        for e in entries
    )


def kind_of(call: str) -> str:
    """The method or route of a call, for counting."""
    interface, _, rest = call.partition(" ")
    if interface == "rpc":
        return rest.partition("(")[0]
    return _VARIABLE.sub(r"\1/*", rest.partition("?")[0])


class Served:
    """The endpoints of a node, called in this process or over sockets, until close."""

    def __init__(self, node: NodeView, way: str) -> None:
        self._node = node
        self._stack = ExitStack()
        self._rpc: Client | None = None
        self._rest: Client
        if way == "sockets":
            self._rpc = self._serve(rpc.rpc_app(node))
            self._rest = self._serve(rest_app(node))
        else:
            self._rest = AsgiClient(rest_app(node))

    def _serve(self, app: Any) -> Client:  # noqa: ANN401 - an ASGI application
        server = self._stack.enter_context(LoopbackServer(app))
        return self._stack.enter_context(HttpClient(server.url))

    def rpc(self, method: str, arguments: list[Any]) -> str:
        """The text that an RPC method answers; of a fault its code, in the form of fixtures."""
        request = xmlrpc.client.dumps(tuple(arguments), method).encode()
        if self._rpc is None:
            answer = rpc.answer(self._node, request)
        else:
            answer = self._rpc.request("POST", "/RPC2", body=request).body.decode()
        try:
            ((text,), _) = xmlrpc.client.loads(answer)
        except xmlrpc.client.Fault as fault:
            return json.dumps({_FAULT: fault.faultCode})
        return str(text)

    def rest(self, method: str, target: str) -> dict[str, Any]:
        """Status, content type and body of a REST answer, in the form of fixtures."""
        answer = self._rest.request(method, target)
        recorded: dict[str, Any] = {"status": answer.status, "content_type": answer.headers.get("content-type")}
        if "access-control-allow-methods" in answer.headers:
            recorded["access-control-allow-methods"] = answer.headers["access-control-allow-methods"]
        try:
            return {**recorded, "json": _parse(answer.body)}
        except ValueError:
            return {**recorded, "body": answer.body.decode("utf-8", "replace")}

    def close(self) -> None:
        """Stop serving."""
        self._stack.close()


class Answers:
    """Follows a replay of a fixture and asks its node what was recorded, when it was; a context manager."""

    def __init__(self, fixture: Fixture, node: NodeView, parts: Collection[str], way: str = "calls") -> None:
        assert fixture.expected is not None, "only fixtures are compared"
        expected = fixture.expected
        self._rest = _members("rest", expected.rest, Calls) if "rest" in parts else {}
        self._per_block = _members("per_block", expected.per_block, dict[str, Calls]) if "rest" in parts else {}
        self._rpc = _members("rpc", expected.rpc, Calls) if "rpc" in parts else {}
        self._differences: list[AnswerDifference] = []
        self.compared = 0
        self.meant: Counter[str] = Counter()
        """How many differences were found that are known, by their reason."""
        self._served = Served(node, way)

    def after_block(self, height: int) -> None:
        """Compare what was recorded when a block had been indexed."""
        for call, expected in self._per_block.get(str(height), {}).items():
            self._compare_rest(call, expected, f"block {height}")

    def at_end(self) -> None:
        """Compare everything else; AnswersDiffer unless all is equal or known."""
        for call, expected in self._rest.items():
            self._compare_rest(call, expected, "end")
        for call, expected in self._rpc.items():
            self._compare_rpc(call, expected)
        if self._differences:
            raise AnswersDiffer(self._differences)

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self._served.close()

    def _compare_rest(self, call: str, expected: msgspec.Raw, moment: str) -> None:
        method, _, target = call.partition(" ")
        self._compare(f"rest {call}", moment, expected, lambda: self._served.rest(method, target))

    def _compare_rpc(self, call: str, expected: msgspec.Raw) -> None:
        found = _CALL.fullmatch(call)
        try:
            arguments = json.loads(f"[{found[2]}]") if found else None
        except ValueError:
            arguments = None
        if found is None or arguments is None:
            raise LabError(f"rpc: call: expected method(arguments) got {call!r}")
        self._compare(f"rpc {call}", "end", expected, lambda: _untraced(self._served.rpc(found[1], arguments)))

    def _compare(self, call: str, moment: str, recorded: msgspec.Raw, ask: Callable[[], Any]) -> None:
        expected = _parse(bytes(recorded))
        if isinstance(expected, dict) and _NOT_RECORDED in expected:
            return
        if isinstance(expected, dict) and _FAULT in expected:  # its message is that of an exception of Python 2
            expected = {_FAULT: expected[_FAULT]}
        self.compared += 1
        wanted, got = _text(expected), _text(ask())
        if wanted != got:
            difference = AnswerDifference(call, moment, wanted, got)
            known = next((known for known in known_differences() if known.covers(difference)), None)
            if known is None:
                self._differences.append(difference)
            else:
                self.meant[known.reason] += 1


def _untraced(text: str) -> Any:  # noqa: ANN401 - any JSON value
    answer = _parse(text)
    return {key: value for key, value in answer.items() if key != "traceback"}


def _members(name: str, raw: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise LabError(f"{name}: members: expected golden format 1 got {error}") from None


def _parse(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(text, parse_int=_integer)


def _integer(text: str) -> int | str:
    # a zone file of digits reads as one number
    return int(text) if len(text) < _LONGEST_NUMBER else text


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    # as text an integer is not a float
    return json.dumps(value, sort_keys=True)
