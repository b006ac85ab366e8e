"""A zone file as values, and the exact text that is written for it (spec 04 sections 2.1 and 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELDS: dict[str, tuple[tuple[str, type[str] | type[int]], ...]] = {
    "SOA": (
        ("mname", str), ("rname", str), ("serial", int), ("refresh", int), ("retry", int), ("expire", int),
        ("minimum", int),
    ),
    "NS": (("host", str),),
    "MX": (("preference", str), ("host", str)),
    "A": (("ip", str),),
    "AAAA": (("ip", str),),
    "CNAME": (("alias", str),),
    "ALIAS": (("host", str),),
    "PTR": (("host", str),),
    "TXT": (("txt", str),),
    "SRV": (("priority", int), ("weight", int), ("port", int), ("target", str)),
    "SPF": (("data", str),),
    "URI": (("priority", int), ("weight", int), ("target", str)),
}  # fmt: skip
"""Names and types of the fields of each record type, in the order in which sections are written."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. fields are in the order of FIELDS; a TXT record has one or more strings instead."""

    type: str
    name: str
    fields: tuple[str | int, ...]
    ttl: int | None = None

    def __getitem__(self, field: str) -> str | int:
        """A field by its name."""
        names = [name for name, _ in FIELDS[self.type]]
        return self.fields[names.index(field)]


@dataclass(frozen=True, slots=True)
class Zonefile:
    """A zone file. Text stands for bytes, one character for each (latin-1); ttl is in seconds."""

    origin: str | None
    ttl: int | None
    records: tuple[Record, ...] = ()

    def of(self, type_: str) -> list[Record]:
        """The records of a type, in file order."""
        return [record for record in self.records if record.type == type_]

    def to_mapping(self) -> dict[str, Any]:
        """The zone file as JSON values: `$origin`, `$ttl`, and a list of objects for each type in lower case."""
        mapping: dict[str, Any] = {}
        if self.origin is not None:
            mapping["$origin"] = self.origin
        if self.ttl is not None:
            mapping["$ttl"] = self.ttl
        for record in self.records:
            mapping.setdefault(record.type.lower(), []).append(_mapping(record))
        return mapping

    def serialize(self) -> bytes:
        """The text; InvalidInput for more than one SOA record or a character beyond latin-1."""
        lines = []
        if self.origin is not None:
            lines.append(f"$ORIGIN {self.origin}")
        if self.ttl is not None:
            lines.append(f"$TTL {self.ttl}")
        if len(self.of("SOA")) > 1:
            raise InvalidInput("SOA records of a zone file", len(self.of("SOA")), "at most one")
        for type_ in FIELDS:
            lines += [record_line(record) for record in self.of(type_)]
        try:
            text = "\n".join(lines).encode("latin-1")
        except UnicodeEncodeError as error:
            raise InvalidInput("zone file text", error.object[error.start : error.end], "latin-1 characters") from None
        stripped = (line.strip() for line in text.split(b"\n"))
        return b"\n".join(line for line in stripped if line) + b"\n"


def record_line(record: Record) -> str:
    """The line of a record, without its end."""
    words = [record.name or "@"] if record.ttl is None else [record.name or "@", str(record.ttl)]
    values = [str(field) for field in record.fields]
    if record.type == "SOA":
        values[2:] = ["(", *values[2:], ")"]
        words.append("IN")
    elif record.type == "TXT":
        values = list(map(_quoted, values))
    elif record.type == "URI":
        values[-1] = _quoted(values[-1])
    return " ".join([*words, record.type, *values])


def txt(name: str, strings: Iterable[str], ttl: int | None = None) -> Record:
    """A TXT record."""
    return Record("TXT", name, tuple(strings), ttl)


def uri(name: str, target: str, priority: int = 10, weight: int = 1, ttl: int | None = None) -> Record:
    """A URI record."""
    return Record("URI", name, (priority, weight, target), ttl)


def _quoted(text: str) -> str:
    escaped = text.replace(";", "\\;")
    return f'"{escaped}"'


def _mapping(record: Record) -> dict[str, Any]:
    values: dict[str, Any] = {"name": record.name}
    if record.ttl is not None:
        values["ttl"] = record.ttl
    if record.type == "TXT":
        values["txt"] = record.fields[0] if len(record.fields) == 1 else list(record.fields)
    else:
        values |= {name: value for (name, _), value in zip(FIELDS[record.type], record.fields, strict=True)}
    return values
