"""Subdomain records: found in zone files, written to them, and the text that their owners sign (spec 04 section 4)."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bns.bitcoin.hashes import sha256
from bns.errors import BnsError
from bns.operations.names import is_name
from bns.subdomains.signatures import decode_base64
from bns.zonefiles.parse import integer, parse
from bns.zonefiles.schema import is_user_zonefile
from bns.zonefiles.text import record_line, txt
from bns.zonefiles.tokens import ZonefileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.zonefiles.text import Record, Zonefile

UNSIGNED = "None"
"""What stands for the signature of a record that has none; in the reference's database too."""

_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_+")
_RESERVED = frozenset({"_missing", "_resolver", "_registrar"})
_KEYS = (b"parts=", b"owner=", b"seqn=")
_PIECE_SIZE = 250
_SEQUENCE_BOUND = 2**63


@dataclass(frozen=True, slots=True)
class SubdomainRecord:
    """A well-formed record. Whether it counts is decided elsewhere (bns.subdomains.machine).

    name is written in full; domain is the name whose zone file carried it; zonefile is the embedded zone file; offset
    counts the records of the carrier before it. missing (announcement indexes, from 1) and resolver are the carrier's.
    """

    name: str
    domain: str
    owner: str
    sequence: int
    zonefile: bytes
    signature: str = UNSIGNED
    offset: int = 0
    missing: tuple[int, ...] = ()
    resolver: str | None = None

    @property
    def is_independent(self) -> bool:
        """Whether another domain than its own carried it."""
        return is_independent(self.name, self.domain)

    @property
    def strings(self) -> list[str]:
        """Its TXT strings in canonical form, without the signature. Spec 04 section 4.5."""
        encoded = binascii.b2a_base64(self.zonefile, newline=False).decode()
        pieces = [encoded[at : at + _PIECE_SIZE] for at in range(0, len(encoded), _PIECE_SIZE)]
        values = [("owner", self.owner), ("seqn", str(self.sequence)), ("parts", str(len(pieces)))]
        values += [(f"zf{number}", piece) for number, piece in enumerate(pieces)]
        return [_assignment(key, value) for key, value in values]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text that the owner of the record before it signs."""
        return sha256(",".join([self._written_name, *self.strings]).encode("latin-1"))

    @property
    def line(self) -> str:
        """The TXT line that carries it."""
        signed = [] if self.signature == UNSIGNED else [_assignment("sig", self.signature)]
        return record_line(txt(self._written_name, [*self.strings, *signed]))

    @property
    def _written_name(self) -> str:
        return self.name if self.is_independent else self.name.partition(".")[0]


def is_subdomain(text: str) -> bool:
    """Whether a text is a subdomain in full, `label.name.namespace`. Spec 04 section 4.1."""
    label, _, domain = text.partition(".")
    return bool(label) and _LABEL.issuperset(label) and is_name(domain)


def is_independent(name: str, domain: str) -> bool:
    """Whether a domain is not the one that a subdomain belongs to."""
    return not name.endswith(f".{domain}")


def read_records(domain: str, data: bytes) -> list[SubdomainRecord]:
    """The records in a domain's zone file, one for each subdomain, in file order. Never fails. Spec 04 section 4.3.

    No records come from bytes that are no zone file, that belong to another name, or that are malformed in a way which
    spoils the whole; other malformed records are left out.
    """
    letters = data.translate(None, b'\\"')  # all that reading takes out of the middle of a word
    if not all(key in letters for key in _KEYS):
        return []
    try:
        zonefile = parse(data)
        if not is_user_zonefile(zonefile) or zonefile.origin != domain:
            return []
        return _records(domain, zonefile)
    except (ZonefileError, _SpoiledZonefile):
        return []


class _SpoiledZonefile(BnsError):
    """A record for which the whole zone file is passed over."""


class _BadRecord(BnsError):
    """A record that is left out."""


def _records(domain: str, zonefile: Zonefile) -> list[SubdomainRecord]:
    missing = _missing(zonefile)
    resolver = next((str(record["target"]) for record in zonefile.of("URI") if record.name == "_resolver"), None)
    kept: dict[str, SubdomainRecord] = {}
    offset = 0
    for entry in zonefile.of("TXT"):
        label = entry.name.lower()
        if not _is_subdomain_record(entry) or label in _RESERVED:
            continue
        try:
            record = _record(label, domain, _strings(entry), offset, missing, resolver)
        except _BadRecord:
            continue
        offset += 1
        known = kept.get(record.name)
        if known is None or record.sequence < known.sequence:
            kept[record.name] = record
    return sorted(kept.values(), key=lambda record: record.offset)


def _record(
    label: str, domain: str, strings: Sequence[str], offset: int, missing: tuple[int, ...], resolver: str | None
) -> SubdomainRecord:
    values: dict[str, str] = {}
    for string in strings:
        key, equals, value = string.partition("=")
        if not equals:
            raise _SpoiledZonefile("expected key=value")
        if key in values:
            raise _BadRecord("expected each key once")
        values[key] = value
    parts, sequence = _integer(values["parts"]), _integer(values["seqn"])
    if parts > len(values):
        raise _SpoiledZonefile("expected all parts of the zone file")
    try:
        encoded = "".join([values[f"zf{number}"] for number in range(parts)])
    except KeyError:
        raise _SpoiledZonefile("expected all parts of the zone file") from None
    name = label if is_subdomain(label) else f"{label}.{domain}"
    if not is_subdomain(name):
        raise _BadRecord("expected the name of a subdomain")
    zonefile = decode_base64(encoded)
    if zonefile is None:
        raise _SpoiledZonefile("expected base64")
    if not -_SEQUENCE_BOUND <= sequence < _SEQUENCE_BOUND:
        raise _BadRecord("expected a sequence number of 64 bits")
    signature = values.get("sig", UNSIGNED)
    return SubdomainRecord(
        name, domain, values["owner"], sequence, zonefile, signature, offset, missing, resolver
    )  # fmt: skip


def _is_subdomain_record(entry: Record) -> bool:
    strings = _strings(entry)
    return len(strings) > 1 and all(any(string.startswith(key.decode()) for string in strings) for key in _KEYS)


def _missing(zonefile: Zonefile) -> tuple[int, ...]:
    """The announcement indexes that a domain declares lost; only one such list may be there."""
    lists = []
    for entry in zonefile.of("TXT"):
        if entry.name == "_missing" and len(entry.fields) == 1:
            try:
                lists.append(tuple(integer(text.encode("latin-1")) for text in _strings(entry)[0].split(",")))
            except ValueError:
                continue
    if len(lists) > 1:
        raise _SpoiledZonefile("expected one list of missing zone files")
    return lists[0] if lists else ()


def _strings(entry: Record) -> tuple[str, ...]:
    return tuple(map(str, entry.fields))


def _integer(text: str) -> int:
    try:
        return integer(text.encode("latin-1"))
    except ValueError as error:
        raise _BadRecord(str(error)) from None


def _assignment(key: str, value: str) -> str:
    escaped = value.replace("=", "\\=")
    return f"{key}={escaped}"
