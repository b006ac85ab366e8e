"""Zone file text: reading it as everybody does, and writing it (spec 04 section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.errors import InvalidInput
from bns.zonefiles.parse import UnsupportedRecord, integer, parse
from bns.zonefiles.schema import decode, is_user_zonefile
from bns.zonefiles.store import zonefile_hash
from bns.zonefiles.text import FIELDS, Record, Zonefile, txt, uri
from bns.zonefiles.tokens import ZonefileError, tokenize

HEAD = b"$ORIGIN foo.id\n$TTL 3600\n"


def read(lines: bytes) -> Zonefile:
    return parse(HEAD + lines)


def strings(line: bytes) -> tuple[str | int, ...]:
    (entry,) = read(line).of("TXT")
    return entry.fields


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'TXT "foo"', ("foo",)),
        (b'a TXT "" "b"', ("b",)),
        (b'a TXT "x  y"', ("x y",)),
        (b'a TXT "x\ty"', ("x", "y")),  # the tab is a blank by the time quotes are set again
        (b'a TXT "x;y"', ("x",)),
        (rb'a TXT "x\;y"', ("x;y",)),
        (rb'a TXT "x\=y\=="', ("x=y==",)),
        (rb'a TXT "x\\y"', ("xy",)),
        (rb'a TXT "x\"y"', ("xy",)),
        (b'a TXT "x (y) z"', ("x y z",)),
        (b'a TXT "(x) y"', ("(x) y",)),
        (b'a TXT "f(x)"', ("f(x)",)),
        (b'a TXT ( "x"\n "y" )', ("x", "y")),
        (b'a TXT "b=c"d"e"', ("b=c", "de")),
        (rb"a TXT b\ c", ("b c",)),
        (b'a TXT "-foo bar"', ("-foo bar",)),
        (b'a TXT "-1"', ("-1",)),
        (b'a TXT "-"', ("-",)),
        (b'a TXT "unfinished', ("unfinished",)),
        (b"a TXT x ; comment", ("x",)),
        (b'a 60 IN TXT "x"\r\n', ("x",)),
        (b'IN TXT "x"', ("x",)),
        (b"a TXT -- -x y", ("-x", "y")),
        (b"a TXT \xff\xa0", ("\xff\xa0",)),
    ],
)
def test_strings(line: bytes, expected: tuple[str, ...]) -> None:
    assert strings(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b'_https._tcp in URI 10 1 "x"',
        b'in TXT "a=1" "b=2"',
        b'ch TXT "a"',
        b'a TXT "in" "x"',
        b'a TXT ""',
        b'a TXT "-foo"',
        b'a TXT "-h foo"',
        b'-a TXT "foo"',
        b'A TXT "x"',
        b'a txt "x"',
        b'a FOO "x"',
        b"a A 1.2.3.4 extra",
        b"a MX 10",
        b"a SRV 1 2 x target",
        b"$TTL 1h",
        b"$origin x",
        b"$ORIGIN",
        b"plain words",
    ],
)
def test_one_bad_line_spoils_the_whole(line: bytes) -> None:
    with pytest.raises(ZonefileError):
        read(line)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"plain text", b'{"name": "x"}', b"; only a comment"])
def test_no_zonefile(data: bytes) -> None:
    with pytest.raises(ZonefileError):
        parse(data)


def test_a_pointer_record_is_refused_in_its_own_way() -> None:
    with pytest.raises(UnsupportedRecord):
        read(b"1.0.0.127 PTR localhost")


def test_every_record_type() -> None:
    zonefile = read(
        b"@ IN SOA ns host ( 1 2 3\n 4 5 )\nNS ns1\nmail MX 10 mx\na A 1.2.3.4\na 5 AAAA ::1\nw CNAME a\nx ALIAS y\n"
        b'_s SRV 1 2 3 t\n@ SPF v=spf1\n_https._tcp 60 IN URI 10 1 "https://a.b/c"\n'
    )
    assert zonefile.records == (
        Record("SOA", "@", ("ns", "host", 1, 2, 3, 4, 5)),
        Record("NS", "@", ("ns1",)),
        Record("MX", "mail", ("10", "mx")),
        Record("A", "a", ("1.2.3.4",)),
        Record("AAAA", "a", ("::1",), 5),
        Record("CNAME", "w", ("a",)),
        Record("ALIAS", "x", ("y",)),
        Record("SRV", "_s", (1, 2, 3, "t")),
        Record("SPF", "@", ("v=spf1",)),
        Record("URI", "_https._tcp", (10, 1, "https://a.b/c"), 60),
    )
    assert zonefile.to_mapping()["uri"] == [
        {"name": "_https._tcp", "ttl": 60, "priority": 10, "weight": 1, "target": "https://a.b/c"}
    ]


def test_the_last_origin_and_ttl_count() -> None:
    zonefile = read(b"$ORIGIN bar.id\n$TTL 7\n")
    assert (zonefile.origin, zonefile.ttl) == ("bar.id", 7)


def test_an_open_parenthesis_swallows_the_rest() -> None:
    assert read(b'a TXT "x"\nb TXT ( "y"\nc TXT "z"\n').records == (txt("a", ["x"]),)


@pytest.mark.parametrize(
    ("text", "value"),
    [(b" 5 ", 5), (b"+05", 5), (b"- 7", -7), (b"\x0b1\x0c", 1), (b"-" + b"9" * 5000, -(10**1000)), (b"0" * 5000, 0)],
)
def test_integers(text: bytes, value: int) -> None:
    assert integer(text) == value


@pytest.mark.parametrize("text", [b"", b" ", b"+", b"1_0", b"5L", b"0x5", b"+-5", b"5\0", b"\xb2", "٣".encode()])
def test_no_integers(text: bytes) -> None:
    with pytest.raises(ValueError, match="no integer"):
        integer(text)


def test_the_vectors_of_the_serialiser() -> None:
    zonefile = Zonefile(
        "alice.id",
        3600,
        (
            uri("_https._tcp", "https://gaia.example.com/hub/alice/profile.json"),
            txt("pubkey", ["pubkey:data:abc=="]),
            txt("multi", ["a=1", "b=x;y"]),
        ),
    )
    text = zonefile.serialize()
    assert text == (
        b"$ORIGIN alice.id\n$TTL 3600\n"
        b'pubkey TXT "pubkey:data:abc=="\nmulti TXT "a=1" "b=x\\;y"\n'
        b'_https._tcp URI 10 1 "https://gaia.example.com/hub/alice/profile.json"\n'
    )
    assert zonefile_hash(text) == "002b928708e4c744d51dea4ba6c44fb6b0c96bcd"


def test_the_hash_of_a_typical_zonefile() -> None:
    text = Zonefile("foo.test", 3600, (uri("_https._tcp", "https://example.com/profile.json"),)).serialize()
    assert zonefile_hash(text) == "bd79379ee841653511139c82f54af326aff9e812"
    assert zonefile_hash(b"") == "b472a266d0bd89c13706a4132ccfb16f7c3b9fcb"


def test_a_whole_zone_is_written_in_sections() -> None:
    soa = Record("SOA", "", ("ns", "host", 1, 2, 3, 4, 5), 9)
    assert Zonefile(None, None, (txt("t", ["x"], 5), soa)).serialize() == (
        b'@ 9 IN SOA ns host ( 1 2 3 4 5 )\nt 5 TXT "x"\n'
    )
    with pytest.raises(InvalidInput, match="at most one"):
        Zonefile(None, None, (soa, soa)).serialize()
    with pytest.raises(InvalidInput, match="latin-1"):
        Zonefile("ł", None).serialize()


WORD = st.text("abcXYZ019._~%/=:?&+@", min_size=1, max_size=12).filter(lambda word: word.upper() not in FIELDS)
TEXT = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
INTEGER = st.integers(0, 2**40)


@st.composite
def records(draw: st.DrawFn) -> Record:
    type_ = draw(st.sampled_from(sorted(FIELDS.keys() - {"PTR"})))
    ttl = draw(st.none() | INTEGER)
    if type_ == "TXT":
        return txt(draw(WORD), draw(st.lists(TEXT | st.just("semi;colon"), min_size=1, max_size=4)), ttl)
    fields = tuple(draw(INTEGER) if kind is int else draw(WORD) for _, kind in FIELDS[type_])
    return Record(type_, draw(WORD), fields, ttl)


def has_class(zonefile: Zonefile) -> bool:
    words = {word for entry in zonefile.records for word in (entry.name, *map(str, entry.fields))}
    return not {"IN", "CS", "CH", "HS"}.isdisjoint(word.upper() for word in words)


@settings(deadline=None, database=None)
@given(st.builds(Zonefile, WORD, INTEGER, st.lists(records(), max_size=6).map(tuple)))
def test_what_is_written_is_read_again(zonefile: Zonefile) -> None:
    if len(zonefile.of("SOA")) > 1 or has_class(zonefile):
        return
    again = parse(zonefile.serialize())
    assert (again.origin, again.ttl) == (zonefile.origin, zonefile.ttl)
    assert again.records == tuple(entry for type_ in FIELDS for entry in zonefile.of(type_))


FRAGMENTS = [
    b"a", b"b.c", b"@", b'"x y"', b'"', b"\\", b";", b"(", b")", b"-1", b"--", b"--ttl", b"--ttl=5", b"-h", b"5", b"IN",
    b"in", b"TXT", b"URI", b"SOA", b"A", b"MX", b"PTR", b"SRV", b"$ORIGIN", b"$TTL", b'""', b"\xff\xa0", b"\x85",
    b"\x0b", b"\r", b"\0", b" ", b" ", b" ", b"\t", b"\n", b"\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=40).map(b"".join))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    try:
        zonefile = parse(data)
    except ZonefileError:
        return
    mapping = zonefile.to_mapping()
    assert decode(data) == mapping
    assert sum(len(v) for v in mapping.values() if isinstance(v, list)) == len(zonefile.records)


@settings(deadline=None, database=None)
@given(st.lists(st.text("ab=,/", min_size=1).map(str.encode), max_size=5))
def test_tokens_without_special_characters_are_words(words: list[bytes]) -> None:
    assert tokenize(b" \t".join(words) + b'\x0b ""') == [*words, b""]


def test_large_zonefiles_take_linear_time() -> None:
    """Each of these takes minutes if any pass goes over its text again for each word."""
    for unit in (b"( ", b'"', b"a ", b"\\", b"a TXT b\n", b";\n", b"-", b"9"):
        data = HEAD + unit * (100_000 // len(unit))
        try:
            parse(data)
        except ZonefileError:
            continue


USER: dict[bytes, bool] = {
    b"": True,
    b'a TXT "x"': True,
    b'@ TXT "x"': False,
    b'a+b TXT "x"': False,
    b'_x URI 10 1 "https://a.b/c?d=e&f=g#h"': True,
    b'_x URI 10 1 "a@b"': False,
    b'_x URI 10 1 "a+b://c"': True,
    b'_x URI 65536 1 "a"': False,
    b'_x URI 10 -1 "a"': False,
    b"$TTL -1": False,
    b"$TTL 2147483647": True,
    b"$TTL 2147483648": False,
    b"$ORIGIN foo": False,
    b"$ORIGIN Foo.id": False,
    b"@ A 1.2.3.4": True,
}


@pytest.mark.parametrize(("lines", "expected"), USER.items())
def test_user_zonefiles(lines: bytes, expected: bool) -> None:
    assert is_user_zonefile(read(lines)) is expected


def test_user_zonefiles_need_origin_and_ttl() -> None:
    assert not is_user_zonefile(parse(b"$ORIGIN foo.id\n"))
    assert not is_user_zonefile(parse(b"$TTL 3600\n"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"v": "0.2"}', {"v": "0.2"}),
        (b'["v"]', None),
        (b"\xff", None),
        (b"nothing", None),
        (b'{"a":' * 100_000, None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
        (b"{ PTR x", None),
        (b"$TTL 5", {"$ttl": 5}),
    ],
)
def test_the_lenient_decoder(data: bytes, expected: dict[str, Any] | None) -> None:
    assert decode(data) == expected
