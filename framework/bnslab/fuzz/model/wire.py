"""From a transaction to the operation it carries (Spec 01 sections 5 to 7, Spec 02 sections 4 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bns.bitcoin.address import address_of_script, base58check_encode, sender_address
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import is_public_key
from bns.bitcoin.script import ScriptType, classify, nulldata, tokens
from bns.bitcoin.transaction import Transaction, TxOut
from bns.params import Epoch, Feature
from bnslab.fuzz.model.text import Row, is_name, is_space

if TYPE_CHECKING:
    from bns.bitcoin.network import Network

Prevout = Callable[[bytes, int], TxOut | None]


class No(Exception):
    """A rule says no; the text names the rule. A fatal one is a rule that no valid chain meets."""

    def __init__(self, rule: str, *, fatal: bool = False) -> None:
        super().__init__(rule)
        self.rule = rule
        self.fatal = fatal


def need(holds: object, rule: str, *, fatal: bool = False) -> None:
    """Reject by a rule unless something holds."""
    if not holds:
        raise No(rule, fatal=fatal)


def magic_payload(transaction: Transaction) -> bytes | None:
    """The data after the two magic bytes; None if the transaction is no candidate."""
    data = nulldata(transaction.outputs)
    return None if data is None or data[:2] != b"id" else data[2:]


def spent_outputs(transaction: Transaction, prevout: Prevout) -> list[TxOut]:
    """What the inputs spend; the coinbase spends nothing worth an address."""
    if transaction.is_coinbase:
        return [TxOut(0, b"")]
    found = [prevout(txin.txid, txin.index) for txin in transaction.inputs]
    return [output for output in found if output is not None]


def read(
    index: int, transaction: Transaction, data: bytes, spent: Sequence[TxOut], epoch: Epoch | None, network: Network
) -> Row:
    """The operation in a candidate whose data after the magic is given; No if it does not parse."""
    wire, payload = data[:1].decode("latin-1"), data[1:]
    need(wire and wire in "?:+>~;*&!#", "parse: opcode")
    need(wire != ";" or not _has_newline(payload.decode("latin-1")), "F3", fatal=True)
    outputs = transaction.outputs
    address = sender_address(spent[0].script, network) if spent else None
    need(address, f"{wire} parse: sender")
    op: Row = {
        "wire": wire,
        "op": wire,
        "txid": transaction.txid,
        "vtxindex": index,
        "sender": spent[0].script.hex(),
        "address": address,
        "sender_pubkey": public_key(transaction, spent[0].script, str(address), network),
    }

    def paid(position: int, which: str) -> None:
        need(len(outputs) > position, f"{wire} parse: output {position}")
        op[which] = outputs[position].script.hex()
        op[which + "_address"] = address_of_script(outputs[position].script, network)
        op[which + "_value"] = outputs[position].value
        need(op[which + "_address"], f"{wire} parse: address of output {position}")

    if wire in "?*":
        need(len(outputs) >= 3 if wire == "*" else len(outputs) == 3, f"{wire} parse: outputs")
        paid(2, "fee")
    elif wire == "&":
        need(len(outputs) == 3, "& parse: outputs")
        paid(1, "recipient")
    elif wire == ";":
        need(len(outputs) >= 3, "; parse: outputs")
        paid(1, "recipient")
        op["value_hash"] = _hash_of(outputs[2].script)
    elif wire in ":>":
        paid(1, "recipient")
    if wire == ":":
        op["fee_value"] = op["fee_address"] = op["value_hash"] = None
        if len(outputs) >= 4:
            paid(3, "fee")
        need(epoch, "F5", fatal=True)
        if epoch is not None and epoch.has(Feature.OP_REGISTER_UPDATE) and len(payload) == 57:
            op["value_hash"] = payload[37:].hex()
            payload = payload[:37].rstrip(b"\x00")
    _READERS[wire](op, payload)
    return op


def public_key(transaction: Transaction, script: bytes, address: str, network: Network) -> str | None:
    """The first key in the inputs that hashes to the sender's address, if that is of a single key."""
    if classify(script) is not ScriptType.PUBKEYHASH:
        return None
    for txin in transaction.inputs:
        parts = tokens(txin.script)
        key = parts[1] if len(parts) == 2 else None
        if (
            isinstance(key, bytes)
            and is_public_key(key)
            and base58check_encode(network.p2pkh_version, hash160(key)) == address
        ):
            return key.hex()
    return None


def _has_newline(text: str) -> bool:
    """Whether a newline ends the label or the namespace id of what else would be a name."""
    label, _, space = text.partition(".")
    name = f"{label.removesuffix(chr(10))}.{space.removesuffix(chr(10))}"
    return name != text and len(text) <= 37 and is_name(name)


def _hash_of(script: bytes) -> str:
    kind = classify(script)
    need(kind in (ScriptType.PUBKEYHASH, ScriptType.SCRIPTHASH), "; parse: value hash output")
    return (script[3:23] if kind is ScriptType.PUBKEYHASH else script[2:22]).hex()


def _preorder(op: Row, payload: bytes) -> None:
    need(len(payload) == 36, f"{op['wire']} parse: length")
    op["preorder_hash"], op["consensus_hash"] = payload[:20].hex(), payload[20:].hex()


def _reveal(op: Row, payload: bytes) -> None:
    need(len(payload) >= 18, "& parse: length")
    op["namespace_id"] = payload[17:].decode("latin-1")
    need(is_space(op["namespace_id"]), "& parse: id")
    op["lifetime"] = int.from_bytes(payload[:4], "big")
    op["coeff"], op["base"] = payload[4], payload[5]
    op["buckets"] = [int(nibble, 16) for nibble in payload[6:14].hex()]
    op["nonalpha_discount"], op["no_vowel_discount"] = payload[14] // 16, payload[14] % 16
    op["version"] = payload[15] * 256 + payload[16]
    need(op["version"] in (1, 2), "& parse: version")
    need(op["nonalpha_discount"] and op["no_vowel_discount"], "& parse: discount")


def _ready(op: Row, payload: bytes) -> None:
    need(payload[:1] == b".", "! parse: dot")
    op["namespace_id"] = payload[1:].decode("latin-1")
    need(is_space(op["namespace_id"]), "! parse: id")


def _name(op: Row, payload: bytes) -> None:
    op["name"] = payload.decode("latin-1")
    need(is_name(op["name"]), f"{op['wire']} parse: name")


def _update(op: Row, payload: bytes) -> None:
    need(len(payload) == 36, "+ parse: length")
    op["name_consensus_hash"], op["value_hash"] = payload[:16].hex(), payload[16:].hex()


def _transfer(op: Row, payload: bytes) -> None:
    need(len(payload) == 33, "> parse: length")
    need(payload[:1] in (b">", b"~"), "> parse: disposition")
    op["keep_data"] = payload[:1] == b">"
    op["name_hash128"], op["consensus_hash"] = payload[1:17].hex(), payload[17:].hex()


def _announce(_op: Row, payload: bytes) -> None:
    need(len(payload) == 20, "# parse: length")


_READERS: dict[str, Callable[[Row, bytes], None]] = {
    "?": _preorder,
    "*": _preorder,
    "&": _reveal,
    "!": _ready,
    ";": _name,
    ":": _name,
    "+": _update,
    ">": _transfer,
    "~": _name,
    "#": _announce,
}
