"""What every REST endpoint is given and gives back (spec 07 sections 2 and 3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import Response

from bns.api.arguments import Failure
from bns.api.text import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bns.api.sources import Record

Query = dict[str, str]
"""Parameters of a query by name; those with a blank value are left out, none occurs twice."""

EVERYONE = {"Access-Control-Allow-Origin": "*"}
PAGE = 100
"""Names on a page."""

_PAGE_NUMBER = re.compile(r" *\+?([0-9]+) *")
_BEYOND_ANY_PAGE = 10**12


def json_reply(body: object, status: int = 200, headers: Mapping[str, str] = EVERYONE) -> Response:
    """A value as JSON."""
    return Response(json_text(body), status, headers, "application/json")


def error_reply(status: int, text: str) -> Response:
    """An error as JSON."""
    return json_reply({"error": text}, status)


def bytes_reply(data: bytes) -> Response:
    """Bytes as they are."""
    return Response(data, 200, EVERYONE, "application/octet-stream")


def bare_reply(status: int) -> Response:
    """A status without a body."""
    return Response(status_code=status, headers={**EVERYONE, "Content-Type": "text/plain"})


def is_true(query: Query, key: str) -> bool:
    """Whether a parameter is set to `1` or `true`."""
    return query.get(key, "").lower() in ("1", "true")


def page_number(text: str) -> int | None:
    """The number that a text writes, from 0 on; None if it writes none."""
    found = _PAGE_NUMBER.fullmatch(text)
    if found is None:
        return None
    return min(int(found[1]), _BEYOND_ANY_PAGE) if len(found[1]) < 20 else _BEYOND_ANY_PAGE


def page_offset(query: Query) -> int:
    """Where the page that a query asks for begins; Failure if it does not ask for one."""
    if "page" not in query:
        raise Failure("page= argument required")
    page = page_number(query["page"])
    if page is None:
        raise Failure("Invalid page= value")
    return page * PAGE


def require(condition: bool, status: int, text: str) -> None:
    """Failure unless the condition holds."""
    if not condition:
        raise Failure(text, status)


def require_bitcoin(chain: str) -> None:
    """Failure for any other blockchain."""
    require(chain == "bitcoin", 404, "Unsupported blockchain")


def with_grace(record: Record, height: int) -> Record:
    """A name's record with `grace_period`; Failure if the name has expired at a height (spec 06 section 7)."""
    if "renewal_deadline" not in record:
        return record
    expiry, deadline = record["expire_block"], record["renewal_deadline"]
    require(not 0 < deadline <= height, 404, "Name expired")
    return {**record, "grace_period": deadline > 0 and expiry <= height < deadline}
