"""Zone files that users write: what must hold before a zone file is looked into (spec 04 sections 2.4 and 2.6)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bns.zonefiles.parse import UnsupportedRecord, parse
from bns.zonefiles.tokens import ZonefileError

if TYPE_CHECKING:
    from bns.zonefiles.text import Zonefile

_ORIGIN = re.compile(r"[a-z0-9\-_+]{1,37}\.[a-z0-9\-_.+]{1,19}")
_TXT_NAME = re.compile(r"[a-zA-Z0-9\-_.~%/]+")
_TARGET = re.compile(r"([a-z0-9+]+://)?[a-zA-Z0-9\-_.~%#?&\\:/=]+")
_MAX_TTL = 2**31 - 1
_MAX_PRIORITY = 65535


def is_user_zonefile(zonefile: Zonefile) -> bool:
    """Whether origin, TTL, TXT names and URI records are in order; one that is not disqualifies the whole."""
    if zonefile.origin is None or not _ORIGIN.fullmatch(zonefile.origin):
        return False
    if zonefile.ttl is None or not 0 <= zonefile.ttl <= _MAX_TTL:
        return False
    return all(_TXT_NAME.fullmatch(record.name) for record in zonefile.of("TXT")) and all(
        0 <= int(record["priority"]) <= _MAX_PRIORITY
        and 0 <= int(record["weight"]) <= _MAX_PRIORITY
        and _TARGET.fullmatch(str(record["target"]))
        for record in zonefile.of("URI")
    )


def decode(data: bytes) -> dict[str, Any] | None:
    """A zone file as JSON values, or the JSON object of an old profile; None for anything else (non-standard)."""
    try:
        return parse(data).to_mapping()
    except UnsupportedRecord:
        return None
    except ZonefileError:
        pass
    try:
        profile = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return profile if isinstance(profile, dict) else None
