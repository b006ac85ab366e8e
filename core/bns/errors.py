"""Exceptions of the core, and the one enumeration of rejection reasons."""

from __future__ import annotations

from enum import StrEnum


class BnsError(Exception):
    """Base of every exception the core raises on purpose."""


class InvalidInput(BnsError, ValueError):
    """A value that a caller passed in is not acceptable.

    what names the value, value is what was given, expected says what would have been right.
    """

    def __init__(self, what: str, value: object, expected: str) -> None:
        super().__init__(f"{what}: expected {expected}, got {value!r}")
        self.what = what
        self.value = value
        self.expected = expected


class MissingPrevout(BnsError):
    """A block source could not say which output a transaction spends (txid in hex, display order)."""

    def __init__(self, txid: str, index: int) -> None:
        super().__init__(f"previous output {txid}:{index}: expected the block source to know it")
        self.txid = txid
        self.index = index


class WrongBlock(BnsError):
    """A block was offered that does not follow the last one indexed."""


class Reason(StrEnum):
    """Why an operation was refused. The value is what receipts, fixtures and scripts show."""

    # The payload or the transaction around it (parsing)
    UNKNOWN_OPCODE = "unknown opcode"
    BAD_PAYLOAD_LENGTH = "bad payload length"
    BAD_OUTPUT_COUNT = "bad number of outputs"
    OUTPUT_WITHOUT_ADDRESS = "output without address"
    BAD_VALUE_HASH_OUTPUT = "value-hash output is neither p2pkh nor p2sh"
    NO_SENDER_ADDRESS = "sender without address"
    INVALID_NAME = "invalid name"
    INVALID_NAMESPACE_ID = "invalid namespace id"
    INVALID_VERSION = "invalid namespace version"
    ZERO_DISCOUNT = "zero discount"
    BAD_MARKER = "bad ready marker"
    BAD_DISPOSITION = "bad transfer disposition"

    # Preorders
    PREORDER_PENDING = "preorder hash already pending"
    STALE_CONSENSUS_HASH = "stale or unknown consensus hash"
    NOT_PREORDERED = "not preordered by this sender for this recipient"
    PREORDERED_BY_ANOTHER = "preordered by another sender"
    PREORDERED_BEFORE_READY = "preordered before the namespace was ready"
    COLLISION = "collides with another operation of the block"

    # Namespaces
    NAMESPACE_REVEALED = "namespace already revealed"
    NAMESPACE_READY = "namespace already ready"
    NAMESPACE_NOT_REVEALED = "namespace not revealed"
    NAMESPACE_NOT_READY = "namespace not ready"
    VERSION_NOT_SUPPORTED = "namespace version not supported in this epoch"
    NOT_REVEALER = "sender is not the reveal address"
    NO_PUBLIC_KEY = "no public key of the sender"
    NOT_AN_IMPORT_KEY = "sender is not an import key of the namespace"

    # Names
    NAME_TAKEN = "name already registered"
    NAME_REVOKED = "name revoked"
    NAME_NOT_REGISTERED = "name not registered"
    NAME_EXPIRED = "name expired"
    NAME_IN_GRACE_PERIOD = "name in its grace period"
    NO_SUCH_NAME = "no name of the sender matches"
    NOT_OWNER = "sender is not the owner"
    RECIPIENT_IS_OWNER = "recipient already owns the name"
    RECIPIENT_NOT_OWNER = "recipient is not the owner"
    TOO_MANY_NAMES = "too many names for one owner"
    FEE_TOO_LOW = "fee too low"
    NO_RENEWAL_FEE = "no renewal fee output"
    WRONG_FEE_ADDRESS = "fee paid to the wrong address"
    MULTISIG_NOT_SUPPORTED = "multisig not supported in this epoch"
    NOT_AN_ANNOUNCER = "sender is not an announcer"

    # Inputs on which the reference aborts (spec 02 section 11.2): refused here, so that no node stops
    FATAL_BECH32_RECIPIENT = "fatal to the reference: witness recipient"
    FATAL_REVEAL_FEE_CHANGED = "fatal to the reference: reveal of an expired namespace with another fee"
    FATAL_TRAILING_NEWLINE = "fatal to the reference: name followed by a newline"
    FATAL_NUMERIC_NAMESPACE = "fatal to the reference: namespace id that reads as a number"
    FATAL_BEYOND_LAST_EPOCH = "fatal to the reference: look-up above the last epoch"
    FATAL_IMPORT_AT_REVEAL_EXPIRY = "fatal to the reference: repeated import in the reveal's last block"


class Rejected(BnsError):
    """A rule refused an operation: reason is the enumeration's member, detail names the values."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.name}: {reason.value}" + (f" ({detail})" if detail else ""))
        self.reason = reason
        self.detail = detail
