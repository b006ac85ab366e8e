"""The file of a snapshot: its trailer, its signatures, and payloads that nobody should unpack."""

from __future__ import annotations

import base64
import bz2
import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bns.bitcoin.keys import PrivateKey, verify_compact
from bns.errors import InvalidInput
from bns.node.snapshots import archive, contents
from bns.node.snapshots.archive import BadSnapshot, NotSigned, Trailer
from bns.zonefiles.store import MAX_ZONEFILE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bns.node.snapshots.contents import Member

KEYS = {letter: PrivateKey.from_label(f"signer {letter}") for letter in "abcxy"}
PUBLIC = {letter: key.public_key for letter, key in KEYS.items()}
PAYLOAD = b"payload" * 1000


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A file signed by a, b and c."""
    path = tmp_path / "snapshot.bsk"
    path.write_bytes(PAYLOAD)
    with path.open("r+b") as file:
        archive.sign_new(file, KEYS["a"])
    archive.add_signature(path, KEYS["b"])
    archive.add_signature(path, KEYS["c"])
    return path


def test_the_trailer(signed: Path) -> None:
    data = signed.read_bytes()
    assert len(data) == len(PAYLOAD) + 96 * 3 + 8
    assert data.endswith(b"00000058" + b"00000003")
    with signed.open("rb") as file:
        trailer = archive.read_trailer(file)
    assert trailer.payload_size == len(PAYLOAD)
    assert [len(base64.b64decode(signature)) for signature in trailer.signatures] == [64] * 3


def test_the_vector_of_the_specification() -> None:
    key = PrivateKey(b"\x11" * 32)
    digest = bytes.fromhex("fcc13ea7e33858927b1735ba359c0b1f0c1857c6c17be212053627b5c091f19b")
    signature = base64.b64decode(
        "/3az0tVOMMXwCmTaJb8d8veFSYaDtLWSgau9Yl3DmGZAsyzxRXwUBmRonIo9dsrL09cdMoTQSqhaBFs6t+Zt1w=="
    )
    assert key.public_key.hex() == "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
    assert verify_compact(key.public_key, digest, signature)
    assert verify_compact(key.public_key, digest, key.sign_compact(digest))


# Spec 08 section 11.2
@pytest.mark.parametrize(
    ("keys", "required"),
    [("abc", 3), ("cba", 3), ("bca", 3), ("ab", 2), ("xa", 1), ("xyc", 1), ("aa", 1)],
)
def test_enough_signatures(keys: str, required: int, signed: Path) -> None:
    with signed.open("rb") as file:
        assert archive.verify(file, [PUBLIC[key] for key in keys], required).payload_size == len(PAYLOAD)


@pytest.mark.parametrize(
    ("keys", "required", "found"), [("a", 2, 1), ("ab", 3, 2), ("x", 1, 0), ("xa", 2, 1), ("xab", 3, 2)]
)
def test_too_few_signatures(keys: str, required: int, found: int, signed: Path) -> None:
    complaint = rf"^Not enough signatures match \(required {required}, found {found}\)$"
    with signed.open("rb") as file, pytest.raises(NotSigned, match=complaint):
        archive.verify(file, [PUBLIC[key] for key in keys], required)


def test_a_key_that_has_signed_twice_counts_once(signed: Path) -> None:
    archive.add_signature(signed, KEYS["a"])
    keys = archive.public_keys([PUBLIC["a"].hex()] * 2)
    with signed.open("rb") as file, pytest.raises(NotSigned, match="found 1"):
        archive.verify(file, keys, 2)


@pytest.mark.parametrize("place", [0, len(PAYLOAD) // 2, len(PAYLOAD) - 1])
def test_a_changed_payload(place: int, signed: Path) -> None:
    data = bytearray(signed.read_bytes())
    data[place] ^= 1
    with pytest.raises(NotSigned, match="found 0"):
        archive.verify(io.BytesIO(data), [PUBLIC["a"]], 1)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "File is too small to be a snapshot"),
        (b"0000000", "File is too small to be a snapshot"),
        (b"0000000g", "Unparseable num_signatures"),
        (b"  000001", "Unparseable num_signatures"),
        (b"-0000001", "Unparseable num_signatures"),
        (b"0x000001", "Unparseable num_signatures"),
        (b"00000101", "Unparseable num_signatures"),
        (b"00000001", "Unparseable signature length"),
        (b"0000006500000001", "Unparseable signature length"),
        (b"0000000400000001", "Unparseable signature"),
        (b"****0000000400000001", "Unparseable signature"),
        (b"AAA0000000300000001", "Unparseable signature"),
        (b"AAAA0000000400000002", "Unparseable signature length"),
    ],
)
def test_bad_trailers(data: bytes, complaint: str) -> None:
    with pytest.raises(BadSnapshot, match=f"^{complaint}$"):
        archive.read_trailer(io.BytesIO(data))


@given(st.binary(max_size=300))
def test_any_bytes_have_a_trailer_or_none(data: bytes) -> None:
    try:
        trailer = archive.read_trailer(io.BytesIO(data))
    except BadSnapshot:
        return
    assert isinstance(trailer, Trailer)
    assert 0 <= trailer.payload_size <= len(data) - 8


def test_no_room_for_more_signatures(tmp_path: Path) -> None:
    path = tmp_path / "full"
    path.write_bytes(b"x" + b"AAAA00000004" * 256 + b"00000100")
    with pytest.raises(BadSnapshot, match="256 signatures, and no room for another"):
        archive.add_signature(path, KEYS["a"])


@pytest.mark.parametrize("text", ["", "zz", "00" * 33, "022052f827"])
def test_bad_public_keys(text: str) -> None:
    with pytest.raises(InvalidInput, match="public key: expected 66 or 130 hex digits"):
        archive.public_keys([PUBLIC["a"].hex(), text])


# Payloads


def payload(build: Callable[[tarfile.TarFile], Any]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        build(tar)
    return bz2.compress(buffer.getvalue())


def entry(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, **more: Any) -> Callable[[tarfile.TarFile], None]:
    def build(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, size
        for key, value in more.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(bytes(size)))

    return build


def read(data: bytes) -> list[tuple[Member, bytes]]:
    return [(member, member.read()) for member in contents.members(io.BytesIO(data), len(data))]


def test_what_is_packed_is_unpacked_and_packed_the_same_again() -> None:
    files = {"backups/atlas.db.bak.7": b"a" * 100_000, "test.keychain": b"k\n", "zonefiles/aa/bb/x.txt": b"z"}

    def packed() -> bytes:
        target = io.BytesIO()
        contents.pack(target, [(path, io.BytesIO(data), len(data)) for path, data in files.items()])
        return target.getvalue()

    assert packed() == packed()
    found = read(packed() + b"what follows is not read")
    assert [data for _, data in found] == list(files.values())
    kinds = [(member.kind, member.name) for member, _ in found]
    assert kinds == [("database", "atlas.db"), ("keychain", "test"), ("zonefile", "zonefiles/aa/bb/x.txt")]
    with tarfile.open(fileobj=io.BytesIO(packed()), mode="r:bz2") as tar:
        assert tar.getnames() == [".", "./backups", "./backups/atlas.db.bak.7", "./test.keychain", "./zonefiles",
                                  "./zonefiles/aa", "./zonefiles/aa/bb", "./zonefiles/aa/bb/x.txt"]  # fmt: skip


@pytest.mark.parametrize(
    "build",
    [
        entry("/etc/passwd"), entry("../outside"), entry("zonefiles/../../outside"), entry("./zonefiles/a/../b.txt"),
        entry("//zonefiles/a"), entry("backups/other.db.bak.1"), entry("backups/atlas.db.bak.x"),
        entry("backups/atlas.db"), entry("blockstack-server.db"), entry("blockstack-server.ini"),
        entry("a/b.keychain"), entry(".keychain"), entry("x" * 20 + ".keychain"), entry("zonefiles"), entry(""),
        entry("zonefiles/\n../x/.."),
        entry("zonefiles/link", kind=tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("zonefiles/link", kind=tarfile.LNKTYPE, linkname="backups/atlas.db.bak.1"),
        entry("zonefiles/device", kind=tarfile.CHRTYPE), entry("zonefiles/pipe", kind=tarfile.FIFOTYPE),
        entry("zonefiles/sparse", kind=tarfile.GNUTYPE_SPARSE), entry("../up", kind=tarfile.DIRTYPE),
        entry("/abs", kind=tarfile.DIRTYPE),
        entry("zonefiles/big", MAX_ZONEFILE_SIZE + 1), entry("test.keychain", contents.LONGEST_KEYCHAIN + 1),
    ],
)  # fmt: skip
def test_members_that_no_node_has_packed(build: Callable[[tarfile.TarFile], None], tmp_path: Path) -> None:
    with pytest.raises(BadSnapshot) as caught:
        read(payload(build))
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", ["backups/atlas.db.bak.1", "test.keychain"])
def test_what_may_be_there_once_is_there_twice(name: str) -> None:
    def build(tar: tarfile.TarFile) -> None:
        entry(name, 5)(tar)
        entry(name.replace(".1", ".2"), 5)(tar)

    with pytest.raises(BadSnapshot, match="it is there twice"):
        read(payload(build))


def test_a_payload_that_grows_out_of_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_FREE_BYTES", 1 << 20)
    bomb = payload(entry("backups/atlas.db.bak.1", 4 << 20))
    assert len(bomb) < 10_000
    with pytest.raises(BadSnapshot, match=r"^it unpacks to more than [0-9]+ bytes, 100 for each that it has$"):
        read(bomb)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_headers_that_would_fill_the_memory(kind: bytes) -> None:
    """Extended headers are read as a whole."""
    with pytest.raises(BadSnapshot, match="damaged"):
        read(payload(entry("header", 1 << 20, kind=kind)))


def test_headers_within_headers() -> None:
    def build(tar: tarfile.TarFile) -> None:
        for _ in range(5000):
            entry("header", 10, kind=b"x")(tar)

    with pytest.raises(BadSnapshot, match="damaged"):
        read(payload(build))


def test_a_payload_that_ends_early() -> None:
    whole = payload(entry("backups/atlas.db.bak.1", 100_000))
    for size in (0, 1, 20, len(whole) // 2):
        with pytest.raises(BadSnapshot, match="damaged"):
            read(whole[:size])
    with pytest.raises(BadSnapshot, match=r"damaged|missing"):
        read(bz2.compress(bz2.decompress(whole)[:50_000]))
    with pytest.raises(BadSnapshot, match="damaged"):
        read(b"no bzip2 at all")
    with pytest.raises(BadSnapshot, match="damaged"):
        read(bz2.compress(b"no tar at all" * 100))
