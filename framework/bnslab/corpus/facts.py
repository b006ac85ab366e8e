"""Steps that look: what must hold of names, namespaces, preorders, history and payments (spec 10 section 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.bitcoin.block import read_transactions
from bns.bitcoin.script import p2pkh
from bns.operations.names import preorder_hash
from bns.operations.view import View
from bns.state import queries
from bnslab.corpus.rows import Pair, Play, Who
from bnslab.corpus.steps import FOO, full
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.corpus.rows import Step
    from bnslab.sent import NameInfo

BURNED = p2pkh(bytes(20))
"""The script of the burn address."""

CH_1 = "CH-1"
"""The consensus hash of the block before the last one, which an operation of the last one can know."""


class FactMissing(LabError):
    """Something that a row says must hold does not."""

    def __init__(self, play: Play, subject: str, expected: object, actual: object) -> None:
        super().__init__(f"block {play.lab.height}: {subject}\n  expected  {expected}\n  actual    {actual}")


def equal(play: Play, subject: str, expected: object, actual: object) -> None:
    """FactMissing unless both are the same."""
    if expected != actual:
        raise FactMissing(play, subject, expected, actual)


# Names


def own(who: Who, name: str = FOO, **facts: object) -> Step:
    """The name exists and belongs to a wallet; facts are keys of FACTS with the value each must have."""
    unknown = facts.keys() - FACTS.keys()
    assert not unknown, unknown

    def step(play: Play) -> None:
        equal(play, f"{full(name)} exists", expected=True, actual=_is_visible(play, full(name)))
        info = play.lab.name(full(name))
        assert info is not None, "a visible name has a record"
        wallet = play.wallet(who)
        equal(play, f"owner of {full(name)}", (wallet.address, wallet.script.hex()), (info.address, info.record.sender))
        for fact, value in facts.items():
            wanted, actual = FACTS[fact](play, info, value)
            equal(play, f"{fact} of {full(name)}", wanted, actual)

    return step


def absent(*names: str) -> Step:
    """No such name is alive."""

    def step(play: Play) -> None:
        for name in map(full, names or (FOO,)):
            equal(play, f"{name} exists", expected=False, actual=_is_visible(play, name))

    return step


def _is_visible(play: Play, name: str) -> bool:
    return _view(play).name(name) is not None


def _view(play: Play) -> View:
    return View(play.lab.params, play.lab.node.state, play.lab.height + 1)


def _pubkey(play: Play, who: Who | None) -> str | None:
    if who is None:
        return None
    wallet = play.wallet(who)
    return wallet.public_keys[0].hex() if wallet.kind == "p2pkh" else None


def _hash(play: Play, name: str) -> str | None:
    return play.lab.node.state.consensus_hash(play.lab.height - 1) if name == CH_1 else play.hash(name)


def _height(play: Play, named: str | int) -> int:
    return play.heights[named] if isinstance(named, str) else named


FACTS: dict[str, Callable[[Play, NameInfo, Any], tuple[object, object]]] = {
    "hash": lambda _, info, value: (value, info.value_hash),
    "revoked": lambda _, info, value: (value, info.revoked),
    "renewed": lambda _, info, value: (value, info.record.last_renewed - info.record.first_registered),
    "renewed_at": lambda play, info, value: (_height(play, value), info.record.last_renewed),
    "first": lambda play, info, value: (_height(play, value), info.record.first_registered),
    "created": lambda play, info, value: (_height(play, value), info.record.block_number),
    "fee": lambda _, info, value: (value, info.record.op_fee),
    "key": lambda play, info, value: (_pubkey(play, value), info.record.sender_pubkey),
    "ch": lambda play, info, value: (_hash(play, value), info.record.consensus_hash),
    "exp": lambda play, info, value: (value, info.expire_block - play.lab.height),
    "ddl": lambda play, info, value: (value, info.renewal_deadline - play.lab.height),
}
"""What can be said of a name: hash is its value hash; renewed the blocks from registration to last renewal; renewed_at,
first and created are heights or what `note` remembered; key is the wallet whose public key stands on record; ch is a
consensus hash that `save` remembered, or CH_1; exp and ddl are counted from the last block."""


def hist(moment: str | int, opcode: str, name: str = FOO, **fields: object) -> Step:
    """What the name was at a remembered height, expired or not: its opcode, and fields of the record."""

    def step(play: Play) -> None:
        height = _height(play, moment)
        states = queries.states_at(play.lab.node.state, full(name), height)
        found = states[0] if states else {}
        wanted = {key: play.wallet(value).address if isinstance(value, Who) else value for key, value in fields.items()}
        actual = {key: found.get(key) for key in fields}
        equal(
            play, f"{full(name)} at {height}", {"opcode": opcode, **wanted}, {"opcode": found.get("opcode"), **actual}
        )

    return step


# Namespaces and preorders


def ready(*namespaces: str, **fields: object) -> Step:
    """Namespaces are ready, and have such fields; an address is given as a wallet."""

    def step(play: Play) -> None:
        for id_ in namespaces or ("test",):
            namespace = play.lab.node.state.namespace(id_)
            equal(play, f"{id_} is ready", "!", namespace and namespace.op)
            for key, value in fields.items():
                wanted = play.wallet(value).address if isinstance(value, Who) else value
                equal(play, f"{key} of {id_}", wanted, getattr(namespace, key))

    return step


def live(pair: Pair, name: str = FOO, *, alive: bool = True, fee: int | None = None) -> Step:
    """A preorder of a name by a payer for an owner is stored and not consumed, or no such is."""

    def step(play: Play) -> None:
        sender, owner = play.wallet(pair.sender), play.wallet(pair.owner)
        found = _view(play).pending_name(preorder_hash(full(name), sender.script.hex(), owner.address))
        equal(play, f"preorder of {full(name)} pending", alive, found is not None)
        if fee is not None and found is not None:
            equal(play, f"fee of the preorder of {full(name)}", fee, found.op_fee)

    return step


def np(pair: Pair, name: str = FOO) -> Step:
    """`np`: no such preorder is left."""
    return live(pair, name, alive=False)


def accepted(count: int) -> Step:
    """So many operations of the last block were accepted."""
    return lambda play: equal(play, "accepted operations", count, len(play.lab.receipts[-1].accepted))


# Payments


def price(name: str, satoshis: int) -> Step:
    """What a name costs in the next block."""
    return lambda play: equal(play, f"price of {full(name)}", satoshis, play.lab.price(full(name)))


def received(who: Who | None, satoshis: int, *, since: str) -> Step:
    """A wallet, or the burn address for None, was paid so much in the blocks above a remembered height."""

    def step(play: Play) -> None:
        script = BURNED if who is None else play.wallet(who).script
        raws = (block.raw for block in play.lab.chain.blocks_from(play.heights[since] + 1))
        outputs = (out for raw in raws for tx in read_transactions(raw)[1:] for out in tx.outputs)
        total = sum(out.value for out in outputs if out.script == script)
        equal(play, f"satoshis paid to {who or 'the burn address'} since block {play.heights[since]}", satoshis, total)

    return step
