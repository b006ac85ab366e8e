"""Subdomain records in zone files, their canonical form and their signatures (spec 04 section 4)."""

from __future__ import annotations

import base64
from dataclasses import replace

import coincurve
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.network import MAINNET, TESTNET
from bns.bitcoin.script import multisig, p2wpkh, push
from bns.errors import InvalidInput
from bns.subdomains.records import UNSIGNED, SubdomainRecord, is_subdomain, read_records
from bns.subdomains.signatures import account, decode_base64, sign, verify
from bns.zonefiles.store import zonefile_hash
from tests.subdomain_chain import K1, K2, K3, address, carry

OWNER = address(K1, MAINNET.p2pkh_version)
DIGEST = bytes.fromhex("e99dcbc00e821d595cac9b84e6eb4718909bb925e10c744813eaec7f7756b228")
SIGNATURE = (
    "QM+Y9jV3MhNyaRINSfWYRXWuBHp5woMViYPzWAKXVsX3VWHWdQRCX72SO4UG22bG4mleK+LKuSSAJKHiDAHySIYhAyRlPqxDRIgALMBrv7fxD+GJ"
    "keNfn+QwLb6m0jU9wKsc"
)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def embedded(label: str) -> bytes:
    return (
        f'$ORIGIN {label}.foo.test\n$TTL 3600\n_https._tcp URI 10 1 "https://example.com/{label}/profile.json"\n'
    ).encode()


def test_a_creation_as_everybody_writes_it() -> None:
    """Example A."""
    bar = SubdomainRecord("bar.foo.test", "foo.test", OWNER, 0, embedded("bar"))
    assert zonefile_hash(bar.zonefile) == "73a732b14c0b5d77b66d0e071c5a1c96e354a898"
    assert bar.digest == DIGEST
    signed = replace(bar, signature=sign(bar.digest, [K1]))
    assert signed.signature == SIGNATURE
    carrier = carry(signed).rstrip(b"\n") + b"\n"
    assert (len(carrier), zonefile_hash(carrier)) == (369, "5b5b17ddfd1214aa97b6a7661f461b0b676cf432")
    assert read_records("foo.test", carrier) == [signed]
    assert verify(OWNER, signed.digest, signed.signature)
    assert not verify(address(K2, MAINNET.p2pkh_version), signed.digest, signed.signature)


def test_an_update_by_another_domain() -> None:
    """Example B."""
    bar = SubdomainRecord("bar.foo.test", "qux.test", OWNER, 1, b"x" * 190)
    assert bar.is_independent
    assert [len(string) for string in bar.strings[3:]] == [254, 12]
    assert bar.digest.hex() == "2a5f400b5a1faf691ceacf3bf5af996f2b2c91fc84d31ef0d83d584fa2014c3b"
    carrier = carry(replace(bar, signature=sign(bar.digest, [K1])), domain="qux.test").rstrip(b"\n") + b"\n"
    assert (len(carrier), zonefile_hash(carrier)) == (517, "ab3401dc124f298a7a76a702c8eb6ce566956276")


REDEEM = multisig(2, [K1.public_key, K2.public_key, K3.public_key])
SHARED = base58check_encode(MAINNET.p2sh_version, hash160(REDEEM))
SHARED_DIGEST = bytes.fromhex("6496b699bed325cf325d8dc40818416c7719f7a3671c308ef061726d8cab369c")


def raw(signature: str) -> bytes:
    return base64.b64decode(signature)


def text(script: bytes) -> str:
    return base64.b64encode(script).decode()


def test_a_shared_subdomain() -> None:
    """Example C."""
    assert SHARED == "36ZpuQdgKw95J6m6wMTWuYkd1QFeyHTZ81"
    assert SubdomainRecord("ms.foo.test", "foo.test", SHARED, 0, embedded("ms")).digest == SHARED_DIGEST
    script = raw(sign(SHARED_DIGEST, [K2, K1, K3], REDEEM))
    one, two = script[1:66], script[66:131]
    assert one.hex() == (
        "409ac38d28f6f79351c64e0580f69223ecb9f7e28fd0860fb4d8793514b688bff75d77c51567f50e691d03e6070919b75c1249e001fabc9e6"
        "db892951fa4ac6d14"
    )
    assert script == b"\x00" + one + two + push(REDEEM)
    three = raw(sign(SHARED_DIGEST, [K3, K1], REDEEM))[66:131]
    redeem = push(REDEEM)
    verdicts = {
        b"\x00" + one + two + redeem: True,
        b"\x55" + one + two + redeem: True,  # what stands first does not matter
        b"\x01\x07" + two + three + redeem: True,
        b"\x00" + one + three + redeem: True,
        b"\x00" + two + one + redeem: False,
        b"\x00" + one + one + redeem: False,
        b"\x00" + one + redeem: False,
        b"\x00" + one + two + three + redeem: False,
        one + two + redeem: False,
        b"\x00" + one + b"\x51" + redeem: False,
        b"\x00" + one + two + redeem[:-1]: False,
        redeem: False,
        b"\x00" + one + two + b"\x51": False,
    }
    assert {case: verify(SHARED, SHARED_DIGEST, text(case)) for case in verdicts} == verdicts
    testnet = base58check_encode(TESTNET.p2sh_version, hash160(REDEEM))
    assert testnet == "2Mx82y9ZhwPeRVtPecV5PXVjtDkTpmuvVCH"
    assert verify(testnet, SHARED_DIGEST, text(script))


def redeem_verdict(redeem: bytes, *signers: bytes) -> bool:
    owner = base58check_encode(TESTNET.p2sh_version, hash160(redeem))
    return verify(owner, DIGEST, text(b"\x00" + b"".join(map(push, signers)) + push(redeem)))


def test_odd_redeem_scripts() -> None:
    signature = raw(SIGNATURE)[1:65]
    key = push(K1.public_key)
    uncompressed = coincurve.PublicKey(K1.public_key).format(compressed=False)
    assert redeem_verdict(b"\x51" + key + b"\x51\xae", signature)
    assert redeem_verdict(b"\x51" + push(uncompressed) + b"\x51\xae", signature)
    assert redeem_verdict(b"\x51" + push(uncompressed[1:]) + key + b"\x52\xae", signature)
    assert not redeem_verdict(b"\x51" + push(uncompressed[1:]) + b"\x51\xae", signature)
    assert not redeem_verdict(b"\x51" + push(b"\x02" + b"\xff" * 32) + key + b"\x52\xae", signature)
    assert not redeem_verdict(b"\x51" + key + b"\x52\xae", signature)
    assert not redeem_verdict(b"\x51" + key + b"\x51\xad", signature)
    assert redeem_verdict(b"\x50" + key + b"\x51\xae")  # the reserved opcode is the number 0, OP_0 is none
    assert not redeem_verdict(b"\x00" + key + b"\x51\xae")
    assert redeem_verdict(b"\x50\x50\xae")
    assert not redeem_verdict(b"\x50\x00\xae")
    assert not redeem_verdict(b"\xae")


def test_signing_needs_the_keys() -> None:
    with pytest.raises(InvalidInput, match="keys of a multisig"):
        sign(DIGEST, [K1], REDEEM)
    with pytest.raises(InvalidInput, match="redeem script"):
        sign(DIGEST, [K1], b"\x51")
    with pytest.raises(InvalidInput, match="one key"):
        sign(DIGEST, [K1, K2])


def high(signature: bytes) -> bytes:
    return signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def test_single_signatures() -> None:
    script = raw(SIGNATURE)
    signature, key = script[1:65], script[65:]
    uncompressed = coincurve.PublicKey(K1.public_key).format(compressed=False)
    assert verify(address(K1), DIGEST, SIGNATURE)  # the network does not matter
    assert verify(OWNER, DIGEST, text(script.hex().encode()))
    assert verify(OWNER, DIGEST, text(push(high(signature)) + key))
    assert verify(OWNER, DIGEST, SIGNATURE[:9] + "!\n" + SIGNATURE[9:])
    assert verify(base58check_encode(0, hash160(uncompressed)), DIGEST, text(push(signature) + push(uncompressed)))
    for script in (
        push(signature),
        push(signature) + push(uncompressed),
        b"\x00" + push(signature) + key,
        push(signature[:-1]) + key,
        push(signature) + b"\x51",
        b"\x51" + key,
        push(bytes(32) + signature[32:]) + key,
        push(signature[:32] + b"\xff" * 32) + key,
        push(K2.sign(DIGEST)) + key,
        b"",
    ):
        assert not verify(OWNER, DIGEST, text(script))
    assert not verify(OWNER, DIGEST, text(raw(SIGNATURE).hex()[:-1].encode()))
    hybrid = bytes([6 + (uncompressed[-1] & 1)]) + uncompressed[1:]
    assert not verify(base58check_encode(0, hash160(hybrid)), DIGEST, text(push(signature) + push(hybrid)))
    for owner in ("", "garbage", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", base58check_encode(48, bytes(20))):
        assert not verify(owner, DIGEST, SIGNATURE)
    for signature_text in ("", UNSIGNED, SIGNATURE[:-1], "\xff"):
        assert not verify(OWNER, DIGEST, signature_text)


def test_witness_owners_never_sign() -> None:
    """A p2sh address of a witness program: no script of signatures stands for it."""
    program = p2wpkh(hash160(K1.public_key))
    owner = base58check_encode(TESTNET.p2sh_version, hash160(program))
    signature = raw(sign(DIGEST, [K1]))
    assert not verify(owner, DIGEST, text(signature + push(program)))


@settings(deadline=None, database=None)
@given(st.binary(max_size=200), st.booleans())
def test_no_signature_breaks_verification(script: bytes, shared: bool) -> None:
    assert not verify(SHARED if shared else OWNER, DIGEST, text(script))


@pytest.mark.parametrize(
    ("encoded", "data"),
    [("QUI=", b"AB"), ("Q U\nI=", b"AB"), ("QUI", None), ("QUI==", b"AB"), ("Q", None), ("", b""), ("QUI=junk", b"AB")],
)
def test_base64(encoded: str, data: bytes | None) -> None:
    assert decode_base64(encoded) == data


def test_accounts() -> None:
    assert account(OWNER) == account(address(K1))
    assert account(base58check_encode(0, bytes(19))) is None


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a.foo.test", True),
        ("a+b.foo.test", True),
        ("-a_.foo.test", True),
        ("a" * 300 + ".foo.test", True),
        ("foo.test", False),
        ("a.b.foo.test", False),
        (".foo.test", False),
        ("A.foo.test", False),
        ("a.fo+o.test", False),
        ("a.foo." + "t" * 20, False),
        ("a." + "f" * 33 + ".test", False),
        ("a.foo.test\n", False),
    ],
)
def test_names(name: str, valid: bool) -> None:
    assert is_subdomain(name) is valid


RECORD = b'bar TXT "owner=x" "seqn=0" "parts=0"'
OTHER = b'baz TXT "owner=x" "seqn=0" "parts=0"'


def found(*lines: bytes) -> list[tuple[str, int, int]]:
    text = b"\n".join([b"$ORIGIN foo.test", b"$TTL 3600", *lines])
    return [(entry.name, entry.sequence, entry.offset) for entry in read_records("foo.test", text)]


ALONE = [("baz.foo.test", 0, 0)]


@pytest.mark.parametrize(
    "line",
    [
        b'bar TXT "owner=x" "owner=y" "seqn=0" "parts=0"',
        b'bar TXT "owner=x" "seqn=a" "parts=0"',
        b'bar TXT "owner=x" "seqn=" "parts=0"',
        b'bar TXT "owner=x" "seqn=0" "parts=1_0"',
        b'bar TXT "owner=x" "seqn=9223372036854775808" "parts=0"',
        b'bar TXT "owner=x" "seqn=-9223372036854775809" "parts=0"',
        b'a.b TXT "owner=x" "seqn=0" "parts=0"',
        b'a.b.c.d TXT "owner=x" "seqn=0" "parts=0"',
        b'% TXT "owner=x" "seqn=0" "parts=0"',
        b'bar TXT "owner=x" "seqn=0"',
        b'bar TXT "owner=x,seqn=0,parts=0"',
        b'bar TXT "xowner=x" "seqn=0" "parts=0"',
        b'_Resolver TXT "owner=x" "seqn=0" "parts=0"',
        b'_registrar TXT "owner=x" "seqn=0" "parts=0"',
        b'_missing TXT "owner=x" "seqn=0" "parts=0"',
    ],
)
def test_a_record_that_is_left_out(line: bytes) -> None:
    assert found(line, OTHER) == ALONE


@pytest.mark.parametrize(
    "line",
    [
        b'bar TXT "owner=x" "seqn=0" "parts=0" "junk"',
        b'bar TXT "owner=x" "seqn=0" "parts=1"',
        b'bar TXT "owner=x" "seqn=0" "parts=2" "zf0=QUI=" "zf2=QUI="',
        b'bar TXT "owner=x" "seqn=0" "parts=99999999999999999999"',
        b'bar TXT "owner=x" "seqn=0" "parts=1" "zf0=QUI"',
        b'_x URI 10 1 "me@example.com"',
        b'@ TXT "x"',
        b'in TXT "x" "y"',
        b"_missing TXT 1\n_missing TXT 2",
        b"$ORIGIN bar.test",
        b"$TTL -1",
        b"junk",
    ],
)
def test_what_spoils_the_whole(line: bytes) -> None:
    assert found(OTHER, line) == []


def test_what_is_read_leniently() -> None:
    assert found(b'BAR TXT "parts=-3" "zf7=!" "seqn= +01" "owner=" "x=y=z"') == [("bar.foo.test", 1, 0)]
    assert found(b'a.qux.id 60 TXT "owner=x" "seqn=- 5" "parts=0"') == [("a.qux.id", -5, 0)]
    (entry,) = read_records(
        "foo.test",
        b'$ORIGIN foo.test\n$TTL 1\nbar TXT "owner=a=b" "seqn=2" "parts=3" "zf0=Q" "zf1=UJ" "zf2=\\=!D" "sig="',
    )
    assert (entry.owner, entry.signature, entry.zonefile) == ("a=b", "", b"AB")


def test_the_lowest_sequence_of_a_file_wins_but_all_count() -> None:
    lines = [b'bar TXT "owner=x" "seqn=%d" "parts=0"' % sequence for sequence in (2, 1, 1, 3)]
    assert found(*lines, OTHER) == [("bar.foo.test", 1, 1), ("baz.foo.test", 0, 4)]
    assert found(b'bar TXT "x"', RECORD, b'bar TXT "owner=x" "seqn=a" "parts=0"', OTHER) == [
        ("bar.foo.test", 0, 0),
        ("baz.foo.test", 0, 1),
    ]


def test_control_records() -> None:
    more = '_missing TXT "3, 4"\n_resolver URI 1 1 "https://one"\n_resolver URI 1 1 "https://two"'
    (entry,) = read_records("foo.test", carry(SubdomainRecord("a.foo.test", "foo.test", "x", 0, b""), more=more))
    assert (entry.missing, entry.resolver) == ((3, 4), "https://one")
    for ignored in ('_missing TXT "a"', '_missing TXT "1" "2"', '_Missing TXT "1"', '_missing TXT "1,"'):
        record = SubdomainRecord("a.foo.test", "foo.test", "x", 0, b"")
        (entry,) = read_records("foo.test", carry(record, more=ignored + '\n_resolved URI 1 1 "x"'))
        assert (entry.missing, entry.resolver) == ((), None)


LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1).filter(
    lambda label: label not in {"in", "cs", "ch", "hs", "_missing", "_resolver", "_registrar"}
)


@settings(deadline=None, database=None)
@given(LABEL, st.integers(-5, 2**63 - 1), st.binary(max_size=900), st.sampled_from(["foo.test", "qux.test"]))
def test_what_is_written_is_read_again(label: str, sequence: int, zonefile: bytes, carrier: str) -> None:
    record = SubdomainRecord(f"{label}.foo.test", carrier, OWNER, sequence, zonefile)
    signed = replace(record, signature=sign(record.digest, [K1]))
    assert read_records(carrier, carry(signed, domain=carrier)) == [signed]
    assert read_records(carrier, carry(record, domain=carrier)) == [record]


@settings(deadline=None, database=None)
@given(st.binary(max_size=60), st.integers(0, 250))
def test_no_bytes_break_the_reader(junk: bytes, at: int) -> None:
    whole = carry(SubdomainRecord("bar.foo.test", "foo.test", OWNER, 0, embedded("bar")))
    for data in (whole[:at] + junk + whole[at:], whole[:at] + junk, junk):
        assert len(read_records("foo.test", data)) <= 1
