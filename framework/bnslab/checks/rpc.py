"""What RPC and REST say of everything a block touched is the same, and what the tables say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from bns.operations.records import FIELD_NAMES, Name
from bnslab.checks.rest import expected_name, expected_namespace, row_of, touched
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab

Record = dict[str, Any]

_OPERATIONS_PAGE = 10
_HISTORY_PAGE = 20
_LONGEST_SEGMENT = 40
"""Characters of a name that the route of raw records takes."""

_NAME_FIELDS = tuple(field for field in FIELD_NAMES[Name] if field not in ("op_fee", "revoked", "last_creation_op"))
_RAW_ONLY = frozenset({"grace_period", "did", "resolver"})


class RpcAnswers:
    """Asks about the block, each name and namespace that its operations name, and the addresses in them."""

    name = "rpc"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Accepted and rejected operations alike touch what they name."""
        self._block(lab, receipt)
        for id_ in touched(receipt):
            if "." in id_:
                self._name(lab, id_)
            else:
                self._namespace(lab, id_)
        for address in addresses(receipt):
            self._address(lab, address)

    def at_end(self, lab: Lab) -> None:
        """The block that is named by its hash, and all names and namespaces at once."""
        if not lab.receipts:
            return
        last = lab.receipts[-1]
        answer = self._ask(lab, "get_block_from_consensus", last.consensus_hash)
        self._equal(lab, "get_block_from_consensus", "block_id", last.height, answer.get("block_id"))
        execute = lab.node.state.connection.execute
        (names,) = execute("SELECT count(*) FROM name_records").fetchone()
        counted = self._ask(lab, "get_num_names_cumulative").get("count")
        self._equal(lab, "get_num_names_cumulative", "count", names, counted)
        ready = sorted(id_ for (id_,) in execute("SELECT namespace_id FROM namespaces WHERE op = '!'"))
        found = sorted(self._ask(lab, "get_all_namespaces").get("namespaces", ()))
        self._equal(lab, "get_all_namespaces", "namespaces", ready, found)

    def _block(self, lab: Lab, receipt: Receipt) -> None:
        height = receipt.height
        for method, key, expected in (
            ("get_consensus_at", "consensus", receipt.consensus_hash),
            ("get_blockstack_ops_hash_at", "ops_hash", receipt.ops_hash),
        ):
            answer = self._ask(lab, method, height)
            self._equal(lab, method, key, expected, answer.get(key))
            self._equal(lab, method, "lastblock", height, answer.get("lastblock"))
        path = f"/v1/blockchains/bitcoin/operations/{height}"
        everything = self._get(lab, path, 200)
        stored = {(a.operation.carrier.txid, a.opcode) for a in receipt.accepted if a.record is not None}
        found = {(operation["txid"], operation["opcode"]) for operation in everything}
        self._equal(lab, path, "operations", sorted(stored), sorted(found))
        if stored:
            count = self._ask(lab, "get_num_blockstack_ops_at", height).get("count")
            self._equal(lab, "get_num_blockstack_ops_at", "count", len(stored), count)
            page = self._ask(lab, "get_blockstack_ops_at", height, 0, _OPERATIONS_PAGE).get("nameops")
            self._equal(lab, path, "the first page", page, everything[:_OPERATIONS_PAGE])

    def _name(self, lab: Lab, name: str) -> None:
        status, _ = expected_name(lab, name)
        answer = self._ask(lab, "get_name_blockchain_record", name)
        row = row_of(lab.node.state, "name_records", "name", name)
        if row is None:
            self._equal(lab, name, "error", "Not found.", answer.get("error"))
            return
        if "record" not in answer:  # its namespace has gone
            self._equal(lab, f"/v1/names/{name}", "status", 404, status)
            return
        record = answer["record"]
        expected = {field: row[field] for field in _NAME_FIELDS} | {"revoked": bool(row["revoked"])}
        for field, value in expected.items():
            if field in record or field not in ("name_hash128", "namespace_id"):
                self._equal(lab, f"get_name_blockchain_record({name})", field, value, record.get(field))
        history = record.pop("history")
        self._history(lab, name, history)
        if len(name) > _LONGEST_SEGMENT:
            return
        path = f"/v1/blockchains/bitcoin/names/{name}"
        raw = self._get(lab, path, status)
        if status == 200:
            for field in record.keys() | (raw.keys() - _RAW_ONLY):
                self._equal(lab, path, field, record.get(field), raw.get(field))

    def _history(self, lab: Lab, id_: str, history: dict[str, list[Record]]) -> None:
        query = "SELECT block_id, txid FROM history WHERE history_id = ? ORDER BY block_id, vtxindex"
        expected = lab.node.state.connection.execute(query, (id_,)).fetchall()
        found = [(int(height), state["txid"]) for height, states in history.items() for state in states]
        self._equal(lab, f"history of {id_}", "transactions", sorted(expected), sorted(found))
        if "." in id_:
            path = f"/v1/names/{id_}/history"
            page = self._get(lab, path, 200)
            if len(expected) <= _HISTORY_PAGE:
                self._equal(lab, path, "states", _by_transaction(history), _by_transaction(page))

    def _namespace(self, lab: Lab, namespace_id: str) -> None:
        status, body = expected_namespace(lab, namespace_id)
        answer = self._ask(lab, "get_namespace_blockchain_record", namespace_id)
        if status != 200:
            self._equal(lab, namespace_id, "error", body["error"], answer.get("error"))
            return
        record = answer["record"]
        for field, value in body.items():
            self._equal(lab, f"get_namespace_blockchain_record({namespace_id})", field, value, record.get(field))
        self._history(lab, namespace_id, record["history"])

    def _address(self, lab: Lab, address: str) -> None:
        if address.startswith(f"{lab.params.network.bech32_prefix}1"):  # spec 06: bech32 is refused
            refused = "error" in self._ask(lab, "get_names_owned_by_address", address)
            self._equal(
                lab, f"get_names_owned_by_address({address})", "verdict", "refused", "refused" if refused else "told"
            )
            return
        expected = owned(lab, address)
        names = self._ask(lab, "get_names_owned_by_address", address).get("names")
        self._equal(lab, f"get_names_owned_by_address({address})", "names", expected, names)
        path = f"/v1/addresses/bitcoin/{address}"
        found = self._get(lab, path, 200)["names"]
        self._equal(lab, path, "names", expected, found[: len(expected)])

    def _ask(self, lab: Lab, method: str, *arguments: object) -> Record:
        answer = lab.call(method, *arguments)
        if not isinstance(answer, dict):
            self._fail(lab, method, "a JSON object", repr(answer))
        return answer

    def _get(self, lab: Lab, path: str, status: int) -> Any:  # noqa: ANN401 - any JSON value
        response = lab.get(path)
        if response.status != status:
            text = response.body.decode(errors="replace")
            self._fail(lab, f"GET {path}", f"status {status}", f"status {response.status}: {text}")
        return response.json()

    def _equal(self, lab: Lab, subject: str, what: str, expected: object, actual: object) -> None:
        if expected != actual:
            self._fail(lab, subject, f"{what} {expected!r}", f"{what} {actual!r}")

    def _fail(self, lab: Lab, subject: str, expected: str, actual: str) -> NoReturn:
        raise CheckFailed(self.name, lab.height, subject, expected, actual)


def addresses(receipt: Receipt) -> list[str]:
    """Senders of the block's operations and owners of the names in them, each once, in order."""
    found = [accepted.operation.carrier.address for accepted in receipt.accepted]
    found += [accepted.record.address for accepted in receipt.accepted if isinstance(accepted.record, Name)]
    found += [each.operation.carrier.address for each in receipt.rejected if each.operation is not None]
    return list(dict.fromkeys(found))


def owned(lab: Lab, address: str) -> list[str]:
    """Names that an address owns, revoked and expired ones left out, ascending (spec 03 section 6.1)."""
    query = (
        "SELECT name, last_renewed, ns.op, ready_block, reveal_block, lifetime FROM name_records JOIN namespaces AS ns "
        "USING (namespace_id) WHERE name_records.address = ? AND revoked = 0 ORDER BY name"
    )
    height, epoch = lab.height, lab.params.epoch(lab.height) or lab.params.epochs[-1]
    names = []
    for name, renewed, op, ready, revealed, lifetime in lab.node.state.connection.execute(query, (address,)):
        term = lifetime * epoch.lifetime_multiplier + epoch.grace_period
        launched = op == "!" and (ready + term > height or renewed + term >= height)
        if launched or (op == "&" and height < revealed + lab.params.namespace_reveal_expire):
            names.append(name)
    return names


def _by_transaction(history: dict[str, list[Record]]) -> list[str]:
    return sorted(json.dumps(state, sort_keys=True) for states in history.values() for state in states)
