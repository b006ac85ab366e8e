"""Questions to a node and its answers, kept for the check that holds them against their schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bns.api import contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bnslab.http import Response


class RestExchange(NamedTuple):
    """A GET and its answer."""

    target: str
    response: Response

    @property
    def question(self) -> str:
        """The request line."""
        return f"GET {self.target}"

    @property
    def shown(self) -> str:
        """The answer as a reader wants it."""
        return f"status {self.response.status}: {self.response.body.decode(errors='replace')}"

    def fault(self) -> str | None:
        """What is undocumented about the answer."""
        response = self.response
        media_type = response.headers.get("content-type", "")
        return contract.fault_of_reply("GET", self.target, response.status, media_type, response.body)


class RpcExchange(NamedTuple):
    """A call and the JSON text that it was answered with."""

    method: str
    arguments: Sequence[Any]
    text: str

    @property
    def question(self) -> str:
        """The call as golden files write it."""
        return f"{self.method}({', '.join(orjson.dumps(argument).decode() for argument in self.arguments)})"

    @property
    def shown(self) -> str:
        """The answer as a reader wants it."""
        return self.text

    def fault(self) -> str | None:
        """What is undocumented about the answer."""
        return contract.fault_of_answer(self.method, self.text)


Exchange = RestExchange | RpcExchange
