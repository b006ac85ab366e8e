"""The checks of every operation, in the order of Spec 02 section 7. One that passes gives the operation its final form.

The texts of rejections name the rows of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import child_public_key
from bns.params import Feature
from bnslab.fuzz.model.text import Row, name_hash128, preorder_hash, space_of
from bnslab.fuzz.model.wire import No, need

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bnslab.fuzz.model.world import World

Taken = set[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One operation before the rules: the height, the earlier ones of its block, the ids that are taken."""

    world: World
    height: int
    op: Row
    earlier: Sequence[Row]
    taken: Taken


def check(case: Case) -> None:
    """Raise No unless the operation is good; it then has its final form."""
    _CHECKS[case.op["wire"]](case)


def scan(world: World, height: int, ops: Sequence[Row]) -> tuple[Taken, set[str]]:
    """The ids that more than one operation of a block claims; keychains come to be on the way.

    Also the txids of the operations on which the reference aborts already here, before it knows what earlier ones of
    the block do: rules F1 and F5. On others it aborts when it writes them down.
    """
    taken: Taken = set()
    fatal: set[str] = set()
    seen: list[Row] = []
    for op in ops:
        if op["wire"] in ":;&":
            copy = dict(op)
            try:
                check(Case(world, height, copy, seen, taken))
            except No as no:
                if no.rule in (": F1", "F5"):
                    fatal.add(op["txid"])
            seen.append(copy)
    return {(kind, op[kind]) for op in seen for kind in op.get("flags", ())}, fatal


def _collide(case: Case, kind: str, affected: Collection[str]) -> None:
    claim = (kind, case.op[kind])
    if claim in case.taken:
        for other in case.earlier:
            if other["op"] in affected and other.get(kind) == case.op[kind]:
                other.setdefault("flags", set()).add(kind)
        raise No(f"{case.op['wire']} collision")
    case.taken.add(claim)


def _preorder(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    wire = op["wire"]
    pending = world.pending_name if wire == "?" else world.pending_space
    need(pending(op["preorder_hash"]) is None, f"{wire} C1")
    need(op["consensus_hash"] in world.recent(height), f"{wire} C2")
    need(wire == "*" or world.owned(op["sender"], case.earlier) < world.params.max_names_per_sender, "? C3")
    _collide(case, "preorder_hash", "?*")
    op.update(block_number=height, op_fee=op["fee_value"], burn_address=op["fee_address"])


def _reveal(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    id_, epoch = op["namespace_id"], world.epoch(height)
    need(world.revealed(id_) is None, "& C2")
    need(not world.ready(id_), "& C3")
    hash_ = preorder_hash(id_, op["sender"], op["recipient_address"])
    preorder = world.pending_space(hash_)
    need(preorder, "& C4")
    assert preorder is not None
    need(preorder["sender"] == op["sender"], "& C5")
    need(op["version"] == 1 or epoch.has(Feature.NAMESPACE_BURN_TO_CREATOR), "& C6")
    need(preorder["op_fee"] >= epoch.namespace_prices.of(id_), "& C7")
    _collide(case, "namespace_id", "&")
    old = world.spaces.get(id_)
    # F2: an expired reveal, or one earlier in this very block, can only be replaced at the same fee
    need(old is None or old["op_fee"] == preorder["op_fee"], "& F2", fatal=True)
    op.update(
        preorder_hash=hash_,
        block_number=preorder["block_number"] if old is None else old["block_number"],
        reveal_block=height,
        ready_block=0,
        op_fee=preorder["op_fee"],
        preorder=preorder,
    )


def _ready(case: Case) -> None:
    world, op = case.world, case.op
    space = world.revealed(op["namespace_id"])
    need(space, "! C1")
    assert space is not None
    need(space["recipient"] == op["sender"], "! C2")
    need(not _numeric(op["namespace_id"]), "! F4", fatal=True)


def _import(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    name, params = op["name"], world.params
    space_id = space_of(name)
    need(op["sender_pubkey"], "; C1")
    space = world.revealed(space_id)
    need(space, "; C3")
    assert space is not None
    key = bytes.fromhex(op["sender_pubkey"])

    def address(public_key: bytes) -> str:
        return base58check_encode(params.network.p2pkh_version, hash160(public_key))

    if space_id not in world.rings:
        need(address(key) == space["recipient_address"], "; C4")
        children = [address(child_public_key(key, i)) for i in range(params.import_keyring_size)]
        world.rings[space_id] = [*children, address(key)]
    need(address(key) in world.rings[space_id], "; C5")
    last = space["reveal_block"] + params.namespace_reveal_expire
    need(height != last or name not in world.names, "; F7", fatal=True)
    before = world.name(name)
    op.update(
        preorder_hash=before["preorder_hash"] if before else preorder_hash(name, op["sender"], op["recipient_address"]),
        importer=op["sender"],
        importer_address=address(key),
        sender=op["recipient"],
        address=op["recipient_address"],
        revoked=False,
        op_fee=world.price(name, height),
        consensus_hash=None,
        namespace_block_number=space["block_number"],
        last_creation_op=";",
    )
    for field in ("preorder_block_number", "first_registered", "last_renewed", "block_number"):
        op[field] = before[field] if before else height


def _registration(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    name, epoch = op["name"], world.epoch(height)
    row = world.name(name)
    need(row is None or not row["revoked"], ": C2")
    need(world.ready(space_of(name)), ": C3")
    need(world.owned(op["recipient"], case.earlier) < world.params.max_names_per_sender, ": C4")
    short = base58check_encode(world.params.network.p2sh_version, bytes(20))[0]
    need(len(op["recipient_address"]) < 40, ": F1", fatal=True)
    is_p2sh = op["recipient_address"][0] == short
    need(not is_p2sh or epoch.has(Feature.MULTISIG), ": C5")
    space = world.spaces[space_of(name)]
    preorder = world.preorder_of(name, op["sender"], op["recipient_address"])
    if preorder is not None:
        need(preorder["block_number"] >= space["ready_block"], ": R2")
        need(preorder["sender"] == op["sender"], ": R3")
        fee, paid_to, when = preorder["op_fee"], preorder["burn_address"], preorder["block_number"]
    else:
        need(world.registered(name), ": no preorder")
        shift = epoch.has(Feature.OP_RENEW_TRANSFER_UPDATE)
        need(shift or world.owns(name, op["recipient"]), ": W1")
        need(world.owns(name, op["sender"]), ": W2")
        need(op["fee_value"] is not None, ": W3")
        fee, paid_to, when = op["fee_value"], op["fee_address"], height
    need(fee >= world.price(name, when), ": C6")
    need(paid_to == world.fee_address(space, when), ": C7")
    _collide(case, "name", ":;")
    if preorder is None:
        _renewed(world, height, op)
    else:
        _registered(world, height, op, preorder, space)


def _registered(world: World, height: int, op: Row, preorder: Row, space: Row) -> None:
    old = world.names.get(op["name"])
    op.update(
        sender=op["recipient"],
        address=op["recipient_address"],
        preorder_hash=preorder["preorder_hash"],
        preorder_block_number=preorder["block_number"],
        block_number=old["block_number"] if old else preorder["block_number"],
        first_registered=height,
        last_renewed=height,
        op_fee=preorder["op_fee"],
        importer=None,
        importer_address=None,
        consensus_hash=None,
        revoked=False,
        namespace_block_number=space["block_number"],
        last_creation_op="?",
        preorder=preorder,
    )


def _renewed(world: World, height: int, op: Row) -> None:
    row = world.names[op["name"]]
    changes = {
        "op": "::",
        "last_renewed": height,
        "op_fee": op["fee_value"],
        "sender": op["recipient"],
        "address": op["recipient_address"],
        "value_hash": op["value_hash"] or row["value_hash"],
    }
    op.update(changes, changes=changes)


def _owned_name(world: World, height: int, op: Row, name: str) -> Row:
    """What updates and transfers ask of a name that was found by a hash."""
    wire, row = op["wire"], world.name(name)
    assert row is not None, "it was looked for among the visible names"
    need(world.ready(space_of(name)), f"{wire} ready")
    need(not world.in_grace(row, height), f"{wire} grace")
    return row


def _update(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    need(len(world.names_of(op["sender"])) <= world.params.max_names_per_sender, "+ C1")
    found = world.update_target(op["sender"], op["name_consensus_hash"], height)
    need(found, "+ C2")
    assert found is not None
    _owned_name(world, height, op, found[0])
    changes = {"op": "+", "value_hash": op["value_hash"], "consensus_hash": found[1]}
    op.update(changes, name=found[0], changes=changes)


def _transfer(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    world.epoch(world.last)
    names = [name for name in world.names if name_hash128(name) == op["name_hash128"] and world.registered(name)]
    need(names, "> C1")
    name = names[0]
    row = _owned_name(world, height, op, name)
    need(op["consensus_hash"] in world.recent(height), "> C7")
    need(op["sender"] != op["recipient"], "> C8")
    need(world.owns(name, op["sender"]), "> C10")
    need(len(world.names_of(op["recipient"])) < world.params.max_names_per_sender, "> C12")
    single = bytes.fromhex(op["sender"])[:1] == b"\x76"
    need(single or world.epoch(height).has(Feature.MULTISIG), "> C13")
    changes = {
        "op": ">>" if op["keep_data"] else ">~",
        "sender": op["recipient"],
        "address": op["recipient_address"],
        "sender_pubkey": None,
        "value_hash": row["value_hash"] if op["keep_data"] else None,
        "consensus_hash": world.transfer_hash(name, op["consensus_hash"]),
    }
    op.update(changes, name=name, changes=changes)


def _revoke(case: Case) -> None:
    world, height, op = case.world, case.height, case.op
    row = world.name(op["name"])
    need(row, "~ C2")
    assert row is not None
    need(world.ready(space_of(op["name"])), "~ C3")
    need(not row["revoked"], "~ C4")
    need(world.visible(row, height), "~ C5")
    need(not world.in_grace(row, height), "~ C6")
    need(row["sender"] == op["sender"], "~ C8")
    changes = {"op": "~", "revoked": True, "value_hash": None}
    op.update(changes, changes=changes)


def _announce(case: Case) -> None:
    rows = [case.world.name(name) for name in case.world.params.announcers]
    need(any(row is not None and row["sender"] == case.op["sender"] for row in rows), "# C1")


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "n" not in text  # Python reads nan and inf, SQLite does not


_CHECKS: dict[str, Callable[[Case], None]] = {
    "?": _preorder,
    "*": _preorder,
    "&": _reveal,
    "!": _ready,
    ";": _import,
    ":": _registration,
    "+": _update,
    ">": _transfer,
    "~": _revoke,
    "#": _announce,
}
