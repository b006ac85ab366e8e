"""What each rejection reason means: the operations and epochs it belongs to and the rule behind it (spec 02)."""

from __future__ import annotations

from typing import NamedTuple

from bns.errors import Reason

ALL_EPOCHS = (1, 2, 3)


class Rule(NamedTuple):
    """The rule behind a reason: operation names, epochs in which it can occur, sections of spec 02, what it says."""

    operations: tuple[str, ...]
    section: str
    meaning: str
    epochs: tuple[int, ...] = ALL_EPOCHS


_PREORDERS = ("NAME_PREORDER", "NAMESPACE_PREORDER")
_REGISTRATION = ("NAME_REGISTRATION", "NAME_RENEWAL")
_CHANGES = ("NAME_UPDATE", "NAME_TRANSFER", "NAME_REVOKE")
_EVERY = (
    *_PREORDERS, "NAMESPACE_REVEAL", "NAMESPACE_READY", "NAME_IMPORT", *_REGISTRATION, *_CHANGES, "ANNOUNCE",
)  # fmt: skip

RULES: dict[Reason, Rule] = {
    Reason.UNKNOWN_OPCODE: Rule(("any payload",), "01 7", "The byte behind the magic is none of the ten opcodes."),
    Reason.BAD_PAYLOAD_LENGTH: Rule(
        (*_PREORDERS, "NAMESPACE_REVEAL", "NAME_UPDATE", "NAME_TRANSFER", "ANNOUNCE"),
        "7",
        "The payload is shorter or longer than the operation's fields.",
    ),
    Reason.BAD_OUTPUT_COUNT: Rule(
        (*_PREORDERS, "NAMESPACE_REVEAL", "NAME_IMPORT", *_REGISTRATION, "NAME_TRANSFER"),
        "4.3",
        "The transaction has fewer outputs than the operation reads, or not exactly as many as it demands.",
    ),
    Reason.OUTPUT_WITHOUT_ADDRESS: Rule(
        (*_PREORDERS, "NAMESPACE_REVEAL", "NAME_IMPORT", *_REGISTRATION, "NAME_TRANSFER"),
        "4.3",
        "An output that names a recipient or takes a fee has no address.",
    ),
    Reason.BAD_VALUE_HASH_OUTPUT: Rule(
        ("NAME_IMPORT",), "7.4 P1", "Output 2, which carries the value hash, is neither p2pkh nor p2sh."
    ),
    Reason.NO_SENDER_ADDRESS: Rule(_EVERY, "4.1", "The first input spends an output that is neither p2pkh nor p2sh."),
    Reason.INVALID_NAME: Rule(
        ("NAME_IMPORT", *_REGISTRATION, "NAME_REVOKE"), "2.1", "The payload does not spell a valid name."
    ),
    Reason.INVALID_NAMESPACE_ID: Rule(
        ("NAMESPACE_REVEAL", "NAMESPACE_READY"), "2.1", "The payload does not spell a valid namespace id."
    ),
    Reason.INVALID_VERSION: Rule(("NAMESPACE_REVEAL",), "7.2 P4", "The namespace version is neither 1 nor 2."),
    Reason.ZERO_DISCOUNT: Rule(("NAMESPACE_REVEAL",), "7.2 P5", "One of the two discounts is 0."),
    Reason.BAD_MARKER: Rule(("NAMESPACE_READY",), "7.3 P1", "The payload does not begin with a dot."),
    Reason.BAD_DISPOSITION: Rule(
        ("NAME_TRANSFER",), "7.8", "The first byte says neither that the value hash is kept nor that it is removed."
    ),
    Reason.PREORDER_PENDING: Rule(
        _PREORDERS, "3.4", "The same hash is preordered already, by anybody, and nothing visible has consumed it."
    ),
    Reason.STALE_CONSENSUS_HASH: Rule(
        (*_PREORDERS, "NAME_TRANSFER"), "01 12", "The consensus hash is not that of one of the last 24 blocks."
    ),
    Reason.NOT_PREORDERED: Rule(
        ("NAMESPACE_REVEAL", "NAME_REGISTRATION"),
        "3.4",
        "This sender has no usable preorder of this name for this recipient: none, too old, or consumed.",
    ),
    Reason.PREORDERED_BY_ANOTHER: Rule(
        ("NAMESPACE_REVEAL", "NAME_REGISTRATION"),
        "7.2 C5, 7.6 R3",
        "The oldest preorder of this hash was sent by somebody else.",
    ),
    Reason.PREORDERED_BEFORE_READY: Rule(
        ("NAME_REGISTRATION",), "7.6 R2", "The name was preordered before its namespace was ready."
    ),
    Reason.COLLISION: Rule(
        (*_PREORDERS, "NAMESPACE_REVEAL", *_REGISTRATION),
        "5",
        "Another operation of the block claims the same name, namespace or hash.",
    ),
    Reason.NAMESPACE_REVEALED: Rule(("NAMESPACE_REVEAL",), "7.2 C2", "The namespace is revealed and not expired."),
    Reason.NAMESPACE_READY: Rule(
        ("NAMESPACE_REVEAL", "NAMESPACE_READY"), "7.2 C3, 7.3 C3", "The namespace is ready already."
    ),
    Reason.NAMESPACE_NOT_REVEALED: Rule(
        ("NAMESPACE_READY", "NAME_IMPORT"),
        "7.3 C1, 7.4 C3",
        "The namespace was not revealed in an earlier block, or its reveal has expired, or it is ready.",
    ),
    Reason.NAMESPACE_NOT_READY: Rule((*_REGISTRATION, *_CHANGES), "7.6 C3", "The namespace of the name is not ready."),
    Reason.VERSION_NOT_SUPPORTED: Rule(
        ("NAMESPACE_REVEAL",), "7.2 C6", "Version 2, whose fees go to the creator, came with epoch 3.", (1, 2)
    ),
    Reason.NOT_REVEALER: Rule(("NAMESPACE_READY",), "7.3 C2", "The sender is not the reveal address."),
    Reason.NO_PUBLIC_KEY: Rule(
        ("NAME_IMPORT",), "7.4 C1", "The sender is not p2pkh, or no input shows the key of its address."
    ),
    Reason.NOT_AN_IMPORT_KEY: Rule(
        ("NAME_IMPORT",), "7.4 C4, C5", "The sender is neither the reveal address nor one of its child keys."
    ),
    Reason.NAME_TAKEN: Rule(
        ("NAME_REGISTRATION",),
        "7.6 W2",
        "The name is registered to somebody else (a registration without renewal fee).",
    ),
    Reason.NAME_REVOKED: Rule(
        (*_REGISTRATION, "NAME_REVOKE"), "7.6 C2, 7.10 C4", "The name is revoked until it expires."
    ),
    Reason.NAME_NOT_REGISTERED: Rule(
        ("NAME_TRANSFER", "NAME_REVOKE"), "7.8 C1, 7.10 C2", "No registered, unexpired name is meant."
    ),
    Reason.NAME_EXPIRED: Rule(("NAME_REVOKE",), "7.10 C5", "The name is no longer visible at this very block."),
    Reason.NAME_IN_GRACE_PERIOD: Rule(_CHANGES, "3.3", "Only a renewal can save the name now."),
    Reason.NO_SUCH_NAME: Rule(
        ("NAME_UPDATE",), "7.7 C2", "No name of the sender with a recent consensus hash gives the payload's hash."
    ),
    Reason.NOT_OWNER: Rule(
        ("NAME_RENEWAL", "NAME_TRANSFER", "NAME_REVOKE"),
        "7.6 W2, 7.8 C10, 7.10 C8",
        "The sender does not own the name.",
    ),
    Reason.RECIPIENT_IS_OWNER: Rule(("NAME_TRANSFER",), "7.8 C8, C11", "The recipient owns the name already."),
    Reason.RECIPIENT_NOT_OWNER: Rule(
        ("NAME_RENEWAL",), "7.6 W1", "A renewal could not change the owner before epoch 3.", (1, 2)
    ),
    Reason.TOO_MANY_NAMES: Rule(
        ("NAME_PREORDER", *_REGISTRATION, "NAME_UPDATE", "NAME_TRANSFER"),
        "5.1",
        "The sender or recipient owns 25 names (an updater: more than 25).",
    ),
    Reason.FEE_TOO_LOW: Rule(
        ("NAMESPACE_REVEAL", *_REGISTRATION), "6", "The fee paid is below the price in the epoch that applies."
    ),
    Reason.NO_RENEWAL_FEE: Rule(("NAME_RENEWAL",), "7.6 W3", "The owner's transaction has fewer than four outputs."),
    Reason.WRONG_FEE_ADDRESS: Rule(
        _REGISTRATION, "6.2", "The fee did not go where it must at that height: the burn address, or the creator's."
    ),
    Reason.MULTISIG_NOT_SUPPORTED: Rule(
        (*_REGISTRATION, "NAME_TRANSFER"), "7.6 C5, 7.8 C13", "p2sh owners came with epoch 2.", (1,)
    ),
    Reason.NOT_AN_ANNOUNCER: Rule(("ANNOUNCE",), "7.11", "The sender owns none of the announcers' names."),
    Reason.FATAL_BECH32_RECIPIENT: Rule(_REGISTRATION, "11.2 F1", "The recipient is p2wpkh or p2wsh."),
    Reason.FATAL_REVEAL_FEE_CHANGED: Rule(
        ("NAMESPACE_REVEAL",), "11.2 F2", "An expired namespace is revealed again with another fee than before."
    ),
    Reason.FATAL_TRAILING_NEWLINE: Rule(
        ("NAME_IMPORT",), "11.2 F3", "A newline follows the label, the namespace id or both of a valid name."
    ),
    Reason.FATAL_NUMERIC_NAMESPACE: Rule(
        ("NAMESPACE_READY",), "11.2 F4", "The namespace id reads as a number, such as `123` or `1e3`."
    ),
    Reason.FATAL_BEYOND_LAST_EPOCH: Rule(
        tuple(name for name in _EVERY if name not in ("NAMESPACE_PREORDER", "NAMESPACE_READY")),
        "1.3, 11.2 F5",
        "The operation looks up an epoch at a height above the end of epoch 3.",
    ),
    Reason.FATAL_IMPORT_AT_REVEAL_EXPIRY: Rule(
        ("NAME_IMPORT",), "11.2 F7", "A name with a history is imported in the last block of its reveal."
    ),
}
"""Every reason, in the order of the enumeration."""


def reasons_markdown() -> str:
    """docs/reference/reasons.md, the table of all reasons."""
    lines = [
        "# Rejection reasons",
        "",
        "Made by `python -m bns.operations.reasons > docs/reference/reasons.md`.",
        "",
        "Every operation that is refused carries one of these. Sections are those of",
        "[the operations](../spec/02-operations.md), with the prefix 01 those of",
        "[the state engine](../spec/01-virtualchain.md). On the `FATAL_` inputs the reference stops for ever; here the",
        "operation is refused, recorded, and the node goes on.",
        "",
        "| reason | operations | epochs | section | meaning |",
        "|---|---|---|---|---|",
    ]
    for reason, rule in RULES.items():
        epochs = "all" if rule.epochs == ALL_EPOCHS else ", ".join(map(str, rule.epochs))
        operations = ", ".join(rule.operations) if rule.operations != _EVERY else "all"
        lines.append(f"| `{reason.name}` | {operations} | {epochs} | {rule.section} | {rule.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reasons_markdown(), end="")  # noqa: T201
