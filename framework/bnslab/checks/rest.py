"""What the REST interface says of everything a block touched is what the tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from bns.operations.names import namespace_of
from bns.operations.records import Name, Namespace
from bnslab.checks.invariants import history_id
from bnslab.errors import CheckFailed
from bnslab.http import HttpFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bns.state.store import State
    from bnslab.lab import Lab

_NAMESPACE_FIELDS = (
    "namespace_id", "preorder_hash", "version", "sender", "sender_pubkey", "address", "recipient", "recipient_address",
    "block_number", "reveal_block", "op", "op_fee", "txid", "vtxindex", "lifetime", "coeff", "base",
    "nonalpha_discount", "no_vowel_discount", "ready_block",
)  # fmt: skip


class RestAnswers:
    """Asks for each touched name and namespace and for the consensus hash; compares with arithmetic of its own."""

    name = "rest"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Accepted and rejected operations alike touch what they name."""
        self._compare(lab, "/v1/blockchains/bitcoin/consensus", 200, {"consensus_hash": receipt.consensus_hash})
        for id_ in touched(receipt):
            if "." in id_:
                self._compare(lab, f"/v1/names/{id_}", *expected_name(lab, id_))
            else:
                self._compare(lab, f"/v1/namespaces/{id_}", *expected_namespace(lab, id_))

    def at_end(self, lab: Lab) -> None:
        """Nothing more to see."""

    def _compare(self, lab: Lab, path: str, status: int, body: dict[str, Any]) -> None:
        response = lab.get(path)
        if response.status != status:
            text = response.body.decode(errors="replace")
            self._fail(lab, path, f"status {status}", f"status {response.status}: {text}")
        try:
            answer = response.json()
        except HttpFailed as error:
            self._fail(lab, path, "a JSON object", str(error))
        if not isinstance(answer, dict):
            self._fail(lab, path, "a JSON object", repr(answer))
        for key, value in body.items():
            if key not in answer or answer[key] != value:
                self._fail(lab, path, f"{key} {value!r}", f"{key} {answer.get(key, 'missing')!r}")

    def _fail(self, lab: Lab, path: str, expected: str, actual: str) -> NoReturn:
        raise CheckFailed(self.name, lab.height, f"GET {path}", expected, actual)


def touched(receipt: Receipt) -> list[str]:
    """Names and namespace ids that the block's operations name, each once, in order."""
    ids = [history_id(a.record) for a in receipt.accepted if isinstance(a.record, Name | Namespace)]
    for rejected in receipt.rejected:
        for field in ("name", "namespace_id"):
            id_ = getattr(rejected.operation, field, None)
            if id_ is not None:
                ids.append(id_)
    return list(dict.fromkeys(ids))


def expected_name(lab: Lab, name: str) -> tuple[int, dict[str, Any]]:
    """Status and members of the answer about a name (spec 07 section 5.3)."""
    state, height = lab.node.state, lab.height
    record, namespace = _rows(state, name)
    if record is None or namespace is None:
        return 404, {"status": "available"}
    info = lab.name(name)
    assert info is not None, "the record exists"
    revealed = namespace["op"] == "&"
    reveal_expired = revealed and height >= namespace["reveal_block"] + lab.params.namespace_reveal_expire
    if reveal_expired:
        return 404, {}
    if 0 < info.renewal_deadline <= height:
        return 404, {"error": "Name expired"}
    return 200, {
        "status": "revoked" if record["revoked"] else "registered",
        "address": record["address"],
        "blockchain": "bitcoin",
        "zonefile_hash": record["value_hash"],
        "last_txid": record["txid"],
        "expire_block": info.expire_block,
        "renewal_deadline": info.renewal_deadline,
        "grace_period": info.expire_block <= height < info.renewal_deadline,
    }


def expected_namespace(lab: Lab, namespace_id: str) -> tuple[int, dict[str, Any]]:
    """Status and members of the answer about a namespace (spec 07 section 5.8)."""
    row = row_of(lab.node.state, "namespaces", "namespace_id", namespace_id)
    if row is None:
        return 404, {"error": "No such namespace"}
    if row["op"] == "&" and lab.height >= row["reveal_block"] + lab.params.namespace_reveal_expire:
        return 404, {"error": "No such namespace"}
    return 200, {field: row[field] for field in (*_NAMESPACE_FIELDS, "buckets")} | {"ready": row["op"] == "!"}


def _rows(state: State, name: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    record = row_of(state, "name_records", "name", name)
    return record, row_of(state, "namespaces", "namespace_id", namespace_of(name))


def row_of(state: State, table: str, key: str, value: str) -> dict[str, Any] | None:
    """A row of a table by its key, with the names of its columns."""
    cursor = state.connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (value,))
    row = cursor.fetchone()
    return None if row is None else dict(zip([column[0] for column in cursor.description], row, strict=True))
