"""Every constant of the consensus rules, as values that travel explicitly (spec 01 section 2, spec 02 section 1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from bns.bitcoin.network import MAINNET, TESTNET, Network
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

INFINITE_LIFETIME = 4294967295
"""Namespace lifetime that never runs out in practice (blocks)."""

SUBDOMAINS_VARIABLE = "BLOCKSTACK_TEST_SUBDOMAINS_FIRST_BLOCK"
"""The override of the first subdomain block."""


class Feature(Enum):
    """Rules that an epoch has or lacks (spec 02 section 1.2)."""

    MULTISIG = auto()
    OP_REGISTER_UPDATE = auto()
    OP_RENEW_TRANSFER_UPDATE = auto()
    NAMESPACE_BURN_TO_CREATOR = auto()


@dataclass(frozen=True, slots=True)
class NamespacePrices:
    """Satoshis for a namespace id by its length (spec 02 section 1.4)."""

    one: int
    two_or_three: int
    four_to_seven: int
    eight_or_more: int

    def of(self, namespace_id: str) -> int:
        """Price of a namespace id of 1 to 19 characters; InvalidInput for any other length."""
        length = len(namespace_id)
        if not 1 <= length <= 19:
            raise InvalidInput("namespace id", namespace_id, "1 to 19 characters")
        if length == 1:
            return self.one
        if length <= 3:
            return self.two_or_three
        return self.four_to_seven if length <= 7 else self.eight_or_more


@dataclass(frozen=True, slots=True)
class Epoch:
    """The rules in force up to and including block end (None: for ever)."""

    number: int
    end: int | None
    lifetime_multiplier: int
    grace_period: int
    price_multiplier: float
    receive_fees_period: int
    namespace_prices: NamespacePrices
    features: frozenset[Feature]

    def has(self, feature: Feature) -> bool:
        """Whether this epoch has the feature."""
        return feature in self.features


_FULL_PRICES = NamespacePrices(40_000_000_000, 4_000_000_000, 400_000_000, 40_000_000)
_TENTH_PRICES = NamespacePrices(4_000_000_000, 400_000_000, 40_000_000, 4_000_000)

EPOCH_1 = Epoch(1, 436650, 1, 0, 1.0, 0, _FULL_PRICES, frozenset())
EPOCH_2 = Epoch(2, 488500, 2, 0, 1.0, 0, _FULL_PRICES, frozenset({Feature.MULTISIG}))
EPOCH_3 = Epoch(3, 999999, 2, 5000, 0.1, 52595, _TENTH_PRICES, frozenset(Feature))


@dataclass(frozen=True, slots=True)
class Params:
    """All constants of one network. Heights and periods in blocks, amounts in satoshis.

    first_subdomain_block is where a rebuild of the subdomain index begins (spec 04 section 5.7). It decides over no
    consensus hash: parameters that differ in nothing else are equal, and have the same overrides.
    """

    network: Network = MAINNET
    first_block: int = 373601
    epochs: tuple[Epoch, Epoch, Epoch] = (EPOCH_1, EPOCH_2, EPOCH_3)
    genesis_consensus_hash: str = "17ac43c1d8549c3181b200f1bf97eb7d"
    consensus_window: int = 24
    name_preorder_expire: int = 144
    namespace_preorder_expire: int = 144
    namespace_reveal_expire: int = 52595
    max_names_per_sender: int = 25
    import_keyring_size: int = 300
    name_cost_unit: int = 100
    announcers: tuple[str, ...] = ("judecn.id", "muneeb.id", "shea256.id")
    first_subdomain_block: int = field(default=478872, compare=False)

    def __post_init__(self) -> None:
        first, second, third = (epoch.end for epoch in self.epochs)
        if first is None or second is None or first < 0 or second <= first:
            raise InvalidInput("epoch ends", (first, second, third), "two increasing heights of at least 0")
        if third is not None and third <= second:
            raise InvalidInput("end of epoch 3", third, f"a height above {second}, or none")
        if self.first_block < 1:
            raise InvalidInput("first block", self.first_block, "a height of at least 1")
        if self.first_subdomain_block < 0:
            raise InvalidInput("first subdomain block", self.first_subdomain_block, "a height")

    def epoch(self, height: int) -> Epoch | None:
        """Epoch of a height, None above the last one (spec 02 sections 1.2 and 1.3)."""
        for epoch in self.epochs:
            if epoch.end is None or height <= epoch.end:
                return epoch
        return None

    @classmethod
    def mainnet(cls) -> Params:
        """The main chain."""
        return cls()

    @classmethod
    def regtest(cls, *, first_block: int, epoch: int = 3, **changes: object) -> Params:
        """The reference's test mode on a private chain, in one epoch and with subdomains from the first block on.

        The other epochs end below first_block or never begin; changes replace further fields.
        """
        if epoch not in (1, 2, 3):
            raise InvalidInput("epoch", epoch, "1, 2 or 3")
        params = cls._test_mode(TESTNET, first_block)
        ends: tuple[int | None, ...]
        never = 2**31
        ends = {1: (never, never + 1, None), 2: (0, never, None), 3: (0, 1, None)}[epoch]
        lowest = max(1, epoch - 1)  # the epochs before it need a block each, from block 0 on
        if first_block < lowest:
            raise InvalidInput("first block", first_block, f"at least {lowest} in epoch {epoch}")
        one, two, three = (replace(e, end=end) for e, end in zip(params.epochs, ends, strict=True))
        fields: dict[str, Any] = {"first_subdomain_block": first_block, **changes}
        return replace(params, epochs=(one, two, three), **fields)

    @classmethod
    def from_reference_env(cls, env: Mapping[str, str]) -> Params:
        """Parameters that the reference would use under these environment overrides (spec 02 section 1.5)."""
        testnet = env.get("BLOCKSTACK_TESTNET") == "1" or env.get("BLOCKSTACK_TESTNET3") == "1"
        network = TESTNET if testnet else MAINNET
        if not env.get("BLOCKSTACK_TEST"):
            return cls(network=network)
        first = env.get("BLOCKSTACK_TEST_FIRST_BLOCK") or env.get("BLOCKSTACK_TESTNET_FIRST_BLOCK") or "373601"
        params = cls._test_mode(network, _integer("first block", first))
        names = {
            "namespace_reveal_expire": "BLOCKSTACK_NAMESPACE_REVEAL_EXPIRE",
            "namespace_preorder_expire": "BLOCKSTACK_TEST_NAMESPACE_PREORDER_EXPIRE",
            "name_preorder_expire": "BLOCKSTACK_TEST_NAME_PREORDER_EXPIRE",
            "first_subdomain_block": SUBDOMAINS_VARIABLE,
        }
        changes: dict[str, Any] = {field: _integer(key, env[key]) for field, key in names.items() if key in env}
        one, two, three = (_epoch_from_env(epoch, env) for epoch in params.epochs)
        return replace(params, epochs=(one, two, three), **changes)

    def to_reference_env(self) -> dict[str, str]:
        """The environment overrides under which the reference has these parameters; the inverse of from_reference_env.

        They say nothing of the first subdomain block: SUBDOMAINS_VARIABLE does.
        Only test mode can be overridden; InvalidInput for parameters that no override can express.
        """
        env = {
            "BLOCKSTACK_TEST": "1",
            "BLOCKSTACK_TEST_FIRST_BLOCK": str(self.first_block),
            "BLOCKSTACK_NAMESPACE_REVEAL_EXPIRE": str(self.namespace_reveal_expire),
            "BLOCKSTACK_TEST_NAMESPACE_PREORDER_EXPIRE": str(self.namespace_preorder_expire),
            "BLOCKSTACK_TEST_NAME_PREORDER_EXPIRE": str(self.name_preorder_expire),
        }
        if self.network == TESTNET:
            env["BLOCKSTACK_TESTNET"] = "1"
        for epoch in self.epochs:
            prefix = f"BLOCKSTACK_EPOCH_{epoch.number}_"
            env[prefix + "END_BLOCK"] = str(-1 if epoch.end is None else epoch.end)
            env[prefix + "PRICE_MULTIPLIER"] = repr(epoch.price_multiplier)
            env[prefix + "NAMESPACE_LIFETIME_MULTIPLIER"] = str(epoch.lifetime_multiplier)
            env[prefix + "NAMESPACE_LIFETIME_GRACE_PERIOD"] = str(epoch.grace_period)
            env[prefix + "NAMESPACE_RECEIVE_FEES_PERIOD"] = str(epoch.receive_fees_period)
        if Params.from_reference_env(env) != self:
            raise InvalidInput("parameters", self, "the reference's test mode with its overrides")
        return env

    @classmethod
    def _test_mode(cls, network: Network, first_block: int) -> Params:
        one, two, three = (
            replace(epoch, namespace_prices=replace(epoch.namespace_prices, one=price))
            for epoch, price in zip(
                (EPOCH_1, EPOCH_2, EPOCH_3), (4_100_000_000, 4_100_000_000, 410_000_000), strict=True
            )
        )
        return cls(
            network=network,
            first_block=first_block,
            epochs=(one, two, three),
            namespace_reveal_expire=144,
            import_keyring_size=5,
            first_subdomain_block=256,
        )


def _integer(what: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(what, text, "an integer") from None


def _number(what: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(what, text, "a number") from None


def _epoch_from_env(epoch: Epoch, env: Mapping[str, str]) -> Epoch:
    prefix = f"BLOCKSTACK_EPOCH_{epoch.number}_"
    integers = {
        "end": "END_BLOCK",
        "lifetime_multiplier": "NAMESPACE_LIFETIME_MULTIPLIER",
        "grace_period": "NAMESPACE_LIFETIME_GRACE_PERIOD",
        "receive_fees_period": "NAMESPACE_RECEIVE_FEES_PERIOD",
    }
    changes: dict[str, Any] = {
        field: _integer(prefix + key, env[prefix + key]) for field, key in integers.items() if prefix + key in env
    }
    if changes.get("end") == -1:
        changes["end"] = None
    if prefix + "PRICE_MULTIPLIER" in env:
        changes["price_multiplier"] = _number(prefix + "PRICE_MULTIPLIER", env[prefix + "PRICE_MULTIPLIER"])
    return replace(epoch, **changes)
