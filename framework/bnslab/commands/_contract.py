"""pytest plugin of `./lab test`: the suite fails if no test reaches a documented reply, outcome or method.

Whatever goes through a client of bnslab.http, or to a node in process, counts: in scenarios, in tests, in every worker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bns.api import contract
from bnslab.http import AsgiClient, HttpClient, Response
from bnslab.nodes.inprocess import InProcessNode

if TYPE_CHECKING:
    from collections.abc import Sequence

_METHOD = re.compile(rb"<methodName>(\w+)</methodName>")
_TEXT = re.compile(rb"<string>(\{.*\})</string>", re.DOTALL)
_CARRIED = "bnslab_contract"


class Coverage:
    """What was reached so far: REST replies by method, path and status, RPC outcomes by method and error."""

    def __init__(self) -> None:
        self.reached: set[tuple[Any, ...]] = set()

    def saw(self, verb: str, target: str, body: bytes, reply: Response) -> None:
        """Take note of a request and its answer."""
        found: tuple[Any, ...] | None
        if verb == "POST" and target in ("/", "/RPC2"):
            found = self._outcome(body, reply.body)
        else:
            found = contract.reply_of(verb, target, reply.status)
        if found is not None:
            self.reached.add(found)

    def _outcome(self, request: bytes, reply: bytes) -> tuple[str, str] | None:
        method, text = _METHOD.search(request), _TEXT.search(reply)
        if method is None or text is None:
            return None
        try:
            return contract.outcome_of(method[1].decode(), orjson.loads(text[1]))
        except orjson.JSONDecodeError:
            return None

    def missing(self) -> list[str]:
        """What is documented and was not reached, in words."""
        replies = contract.documented_replies() - self.reached
        outcomes = contract.documented_outcomes() - self.reached
        return [f"{verb} {path}: status {status}" for verb, path, status in sorted(replies)] + [
            f"{method}: {outcome}" for method, outcome in sorted(outcomes)
        ]


class _Session:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._coverage = Coverage()
        self._missing: list[str] = []

    def watch(self, kind: type[AsgiClient | HttpClient], patch: pytest.MonkeyPatch) -> None:
        ask: Any = kind.request

        def request(client: AsgiClient, method: str, target: str, *, body: bytes = b"", **more: Any) -> Response:  # noqa: ANN401
            reply: Response = ask(client, method, target, body=body, **more)
            self._coverage.saw(method, target, body, reply)
            return reply

        patch.setattr(kind, "request", request)

    def watch_calls(self, patch: pytest.MonkeyPatch) -> None:
        """Those that go to a node in process without the XML around them."""
        ask = InProcessNode.call

        def call(node: InProcessNode, method: str, arguments: Sequence[Any]) -> str:
            text = ask(node, method, arguments)
            found = contract.outcome_of(method, orjson.loads(text))
            if found is not None:
                self._coverage.reached.add(found)
            return text

        patch.setattr(InProcessNode, "call", call)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - of pytest-xdist
        carried = getattr(node, "workeroutput", {}).get(_CARRIED, ())
        self._coverage.reached |= {tuple(found) for found in carried}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_CARRIED] = sorted(map(list, self._coverage.reached), key=repr)
            return
        self._missing = self._coverage.missing()
        if self._missing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._missing:
            terminalreporter.section("documented, but reached by no test", red=True)
            for line in self._missing:
                terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Watch the clients of this process until it ends."""
    session, patch = _Session(config), pytest.MonkeyPatch()
    session.watch(AsgiClient, patch)
    session.watch(HttpClient, patch)
    session.watch_calls(patch)
    config.add_cleanup(patch.undo)
    config.pluginmanager.register(session, "bnslab-contract")
