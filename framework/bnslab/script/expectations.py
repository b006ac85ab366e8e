"""The statements that begin with `expect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from bns.operations.base import opcode_name
from bns.operations.names import preorder_hash
from bns.state import queries
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bns.operations.records import Preorder
    from bnslab.lab import Lab
    from bnslab.moments import Moment
    from bnslab.subdomains import SubdomainDraft
    from bnslab.wallets import Wallet

_FLAGS = ("revoked", "not_revoked", "no_value", "ready", "revealed")
_NAME_FIELDS = {
    "record_hash": "value_hash",
    "preordered": "block_number",
    "first_registered": "first_registered",
    "last_renewed": "last_renewed",
    "record_consensus_hash": "consensus_hash",
}
_NAMESPACE_FIELDS = {"preordered": "block_number", "revealed_at": "reveal_block"}


class Expectations:
    """Methods that raise CheckFailed, with all that differs, unless the chain is as they are told."""

    lab: Lab

    def _expect_name(self, name: str, at: int | None = None, owner: Wallet | None = None, **expected: object) -> None:
        moment = self._moment(at)
        info = moment.name(name)
        if info is None or not queries.was_unexpired(moment.node.state, info.record, moment.height):
            self._fail(f"name {name}", "there", "no such name" if info is None else "expired", moment)
        actual: dict[str, Any] = {
            **{clause: getattr(info.record, field) for clause, field in _NAME_FIELDS.items()},
            "owner": info.address,
            "no_value": info.value_hash is None,
            "revoked": info.revoked,
            "not_revoked": not info.revoked,
            "expires": info.expire_block,
            "deadline": info.renewal_deadline,
            "operation": opcode_name(info.record.op),
            "imported_by": info.record.importer_address,
        }
        wanted = expected if owner is None else {"owner": owner, **expected}
        self._compare(f"name {name}", wanted, actual, moment)
        if owner is not None and info.record.sender != owner.script.hex():
            self._fail(f"name {name}", f"sender {owner.script.hex()} ({owner.name})", info.record.sender, moment)

    def _expect_no_name(self, name: str, at: int | None = None) -> None:
        moment = self._moment(at)
        info = moment.name(name)
        if info is not None and queries.was_unexpired(moment.node.state, info.record, moment.height):
            self._fail(f"name {name}", "no such name", f"one of {info.address}", moment)

    def _expect_namespace(self, id_: str, at: int | None = None, **expected: object) -> None:
        moment = self._moment(at)
        record = queries.live_namespace(moment.node.state, id_)
        if record is None:
            self._fail(f"namespace {id_}", "there", "no such namespace", moment)
        given = {clause: getattr(record, _NAMESPACE_FIELDS.get(clause, clause), None) for clause in expected}
        actual = given | {
            "ready": record.op == "!",
            "revealed": record.op == "&",
            "sender": record.address,
            "recipient": record.recipient_address,
            "operation": opcode_name(record.op),
        }
        self._compare(f"namespace {id_}", expected, actual, moment)

    def _expect_no_namespace(self, id_: str, at: int | None = None) -> None:
        moment = self._moment(at)
        if queries.live_namespace(moment.node.state, id_) is not None:
            self._fail(f"namespace {id_}", "no such namespace", "one is there", moment)

    def _expect_preorder(self, name: str, by: Wallet, to: Wallet | None = None, fee: int | None = None) -> None:
        live = self._live_preorders(name, by, to or by)
        self._compare(f"preorder of {name}", {"count": 1}, {"count": len(live)}, self.lab.now)
        if fee is not None:
            self._compare(f"preorder of {name}", {"fee": fee}, {"fee": live[0].op_fee}, self.lab.now)

    def _expect_no_preorder(self, name: str, by: Wallet, to: Wallet | None = None) -> None:
        live = self._live_preorders(name, by, to or by)
        self._compare(f"preorder of {name}", {"count": 0}, {"count": len(live)}, self.lab.now)

    _expect_namespace_preorder = _expect_preorder
    _expect_no_namespace_preorder = _expect_no_preorder

    def _expect_subdomain(self, name: str, holds: SubdomainDraft | None = None, **expected: object) -> None:
        info = self.lab.resolve(name)
        if info is None:
            self._fail(f"subdomain {name}", "there", "no such subdomain", self.lab.now)
        actual = {"owner": info.address, "record_sequence": info.sequence, "carried_by": info.domain}
        if holds is not None:
            expected |= {"owner": holds.owner, "record_sequence": holds.sequence, "zone_file": holds.zonefile}
        self._compare(f"subdomain {name}", expected, {**actual, "zone_file": info.zonefile}, self.lab.now)

    def _expect_no_subdomain(self, name: str) -> None:
        info = self.lab.resolve(name)
        if info is not None:
            self._fail(f"subdomain {name}", "no such subdomain", f"one of {info.address}", self.lab.now)

    def _expect_count(self, count: int, things: str, owned_by: Wallet | None = None) -> None:
        state, height = self.lab.node.state, self.lab.height
        if things == "names":
            actual = queries.count_names(state)
            if owned_by is not None:
                actual = len(queries.names_owned_by(state, owned_by.address))
        elif things == "namespaces":
            actual = len(queries.ready_namespaces(state))
        else:
            since = height - self.lab.params.name_preorder_expire
            rows = state.connection.execute("SELECT address FROM preorders WHERE block_number > ?", (since,))
            actual = sum(1 for (address,) in rows if owned_by is None or address == owned_by.address)
        self._compare("chain", {things: count}, {things: actual}, self.lab.now)

    def _expect_history(self, name: str, heights: int, entries: int) -> None:
        query = "SELECT block_id FROM history WHERE history_id = ?"
        found = [height for (height,) in self.lab.node.state.connection.execute(query, (name,))]
        actual = {"heights": len(set(found)), "entries": len(found)}
        self._compare(f"history of {name}", {"heights": heights, "entries": entries}, actual, self.lab.now)

    def _expect_height(self, height: int) -> None:
        self._compare("chain", {"height": height}, {"height": self.lab.height}, self.lab.now)

    def _expect_consensus_hash(self, consensus_hash: str) -> None:
        expected, actual = {"consensus hash": consensus_hash}, {"consensus hash": self.lab.consensus_hash}
        self._compare("block", expected, actual, self.lab.now)

    def _moment(self, height: int | None) -> Moment:
        return self.lab.now if height is None else self.lab.at(height)

    def _live_preorders(self, id_: str, by: Wallet, to: Wallet) -> list[Preorder]:
        """Those that can still be used in the next block."""
        found = self.lab.node.state.preorders(preorder_hash(id_, by.script.hex(), to.address))
        params = self.lab.params
        life = params.name_preorder_expire if "." in id_ else params.namespace_preorder_expire
        return [each for each in found if self.lab.height < each.block_number + life]

    def _compare(self, subject: str, expected: Mapping[str, Any], actual: Mapping[str, Any], moment: Moment) -> None:
        wrong = [name for name, value in expected.items() if _plain(value) != actual[name]]
        if wrong:
            texts = ["\n".join(_told(name, values[name]) for name in wrong) for values in (expected, actual)]
            self._fail(subject, texts[0], texts[1], moment)

    def _fail(self, subject: str, expected: str, actual: str, moment: Moment) -> NoReturn:
        raise CheckFailed("script", moment.height, subject, expected, actual)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """What a record has where a script has a wallet."""
    return getattr(value, "address", value)


def _told(name: str, value: Any) -> str:  # noqa: ANN401
    words = name.removeprefix("record_").replace("_", " ").replace("hash", "value" if name == "record_hash" else "hash")
    if name in _FLAGS:
        return words if value else f"not {words}"
    wallet = f" ({value.name})" if hasattr(value, "name") else ""
    return f"{words} {_plain(value)}{wallet}"
