"""Steps that send operations and mine blocks, named as in the catalogue (spec 10 section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from bnslab.corpus.rows import Importing, Pair, Play, Who, w0, w1

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.errors import Reason
    from bnslab.corpus.rows import Step
    from bnslab.sent import Sent
    from bnslab.transactions import Prices
    from bnslab.wallets import Wallet

    Op = Callable[[Play], Sent]

FOO = "foo.test"


def h(byte: int) -> str:
    """The value hash of 20 bytes alike."""
    return f"{byte:02x}" * 20


h00, h11, h22, h33, h44, h55, h66, h77, h88, h99 = (h(byte * 0x11) for byte in range(10))


def full(name: str) -> str:
    """A name with its namespace, `test` unless it has one."""
    return name if "." in name else f"{name}.test"


# Blocks


def blocks(count: int) -> Step:
    """Mine so many blocks, the first with what is pending."""
    return lambda play: play.lab.mine(count)


block = blocks(1)
"""The end of a block: `/` in the catalogue."""


def save(name: str) -> Step:
    """Remember the consensus hash of the last block."""

    def step(play: Play) -> None:
        play.hashes[name] = play.lab.consensus_hash

    return step


def note(name: str) -> Step:
    """Remember the height of the last block."""

    def step(play: Play) -> None:
        play.heights[name] = play.lab.height

    return step


# Namespaces


def nspre(namespace: str, pair: Pair, *, fee: int | None = None) -> Op:
    """NAMESPACE_PREORDER paid by one wallet with another's reveal address."""

    def op(play: Play) -> Sent:
        by, to = _by_to(play, pair)
        return play.lab.namespace_preorder(namespace, by, to=to, fee=fee)

    return op


def nsrev(namespace: str, pair: Pair, *, life: int = 52595, **prices: Unpack[Prices]) -> Op:
    """NAMESPACE_REVEAL to an address."""

    def op(play: Play) -> Sent:
        by, to = _by_to(play, pair)
        return play.lab.namespace_reveal(namespace, by, to=to, lifetime=life, **prices)

    return op


def nsrdy(namespace: str, who: Who) -> Op:
    """NAMESPACE_READY."""
    return lambda play: play.lab.namespace_ready(namespace, play.wallet(who))


def revealed(*, life: int = 52595, **prices: Unpack[Prices]) -> tuple[Step, ...]:
    """`test` preordered and revealed, a block each."""
    return nspre("test", w0 >> w1), block, nsrev("test", w0 >> w1, life=life, **prices), block


def ns(namespace: str = "test", *, life: int = 52595, **prices: Unpack[Prices]) -> tuple[Step, ...]:
    """A namespace preordered and revealed by w0, readied by w1, a block each."""
    return (
        nspre(namespace, w0 >> w1),
        block,
        nsrev(namespace, w0 >> w1, life=life, **prices),
        block,
        nsrdy(namespace, w1),
        block,
    )


def imp(owner: Who, value_hash: str = h00, name: str = FOO, *, by: Who = w1) -> Importing:
    """NAME_IMPORT by the reveal key unless another signs."""

    def op(play: Play) -> Sent:
        return play.lab.name_import(full(name), play.wallet(by), play.wallet(owner), value_hash=value_hash)

    return Importing(Who(by.number), op)


# Names


def pre(pair: Pair, name: str = FOO, *, pay: Who | None = None, fee: int | None = None, ch: str | None = None) -> Op:
    """NAME_PREORDER; pay is who gets the fee instead of whom the rules say, ch a remembered consensus hash."""

    def op(play: Play) -> Sent:
        by, to = _by_to(play, pair)
        return play.lab.name_preorder(
            full(name), by, to=to, fee=fee, pay_to=_address(play, pay), consensus_hash=play.hash(ch)
        )

    return op


def reg(pair: Pair, name: str = FOO, value_hash: str | None = None) -> Op:
    """NAME_REGISTRATION."""

    def op(play: Play) -> Sent:
        by, to = _by_to(play, pair)
        return play.lab.name_registration(full(name), by, to=to, value_hash=value_hash)

    return op


def p_r(pair: Pair, name: str = FOO, value_hash: str | None = None) -> tuple[Step, ...]:
    """`P/R`: preorder and registration, a block each."""
    return pre(pair, name), block, reg(pair, name, value_hash), block


def upd(value_hash: str, who: Who, name: str = FOO, *, ch: str | None = None) -> Op:
    """NAME_UPDATE."""
    return lambda play: play.lab.update(full(name), play.wallet(who), value_hash, consensus_hash=play.hash(ch))


def xfer(pair: Pair, name: str = FOO, *, keep: bool = True, ch: str | None = None) -> Op:
    """NAME_TRANSFER that keeps the value hash, or drops it."""

    def op(play: Play) -> Sent:
        by, to = _by_to(play, pair)
        return play.lab.transfer(full(name), by, to, keep_data=keep, consensus_hash=play.hash(ch))

    return op


def renew(
    who: Who | Pair, name: str = FOO, value_hash: str | None = None, *, pay: Who | None = None, fee: int | None = None
) -> Op:
    """NAME_RENEWAL, by an owner or for a new one."""
    pair = who if isinstance(who, Pair) else who >> who

    def op(play: Play) -> Sent:
        by, to = _by_to(play, pair)
        return play.lab.renew(full(name), by, to=to, value_hash=value_hash, fee=fee, pay_to=_address(play, pay))

    return op


def revoke(who: Who, name: str = FOO) -> Op:
    """NAME_REVOKE."""
    return lambda play: play.lab.revoke(full(name), play.wallet(who))


def no(reason: Reason, *ops: Op | Importing) -> tuple[Step, ...]:
    """Operations that the block must reject for a reason: `!` in the catalogue."""

    def refused(op: Op | Importing) -> Step:
        def step(play: Play) -> Sent:
            sent = op(play)
            sent.expected = reason
            return sent

        return Importing(op.importer, step) if isinstance(op, Importing) else step

    return tuple(refused(op) for op in ops)


def unsent(reason: Reason, *ops: Op) -> tuple[Step, ...]:
    """Operations that a careful client refuses to send for a reason (Lab.refuses): `✗` in the catalogue."""

    def refused(op: Op) -> Step:
        def step(play: Play) -> None:
            with play.lab.refuses(reason):
                op(play)

        return step

    return tuple(refused(op) for op in ops)


def forced(reason: Reason, *ops: Op) -> tuple[Step, ...]:
    """Operations that a careful client refuses to send, and the block rejects, for a reason: `✗ and !`."""
    return *unsent(reason, *ops), *no(reason, *ops)


def _by_to(play: Play, pair: Pair) -> tuple[Wallet, Wallet]:
    return play.wallet(pair.sender), play.wallet(pair.owner)


def _address(play: Play, who: Who | None) -> str | None:
    return None if who is None else play.wallet(who).address
