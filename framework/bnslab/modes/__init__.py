"""Modes that put a scenario through more than it says: other wallets, forks, restarts, another epoch.

A mode is chosen on the command line and never by a scenario. What it does comes from the seed and the scenario's
identity alone, so the same command does the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from bns.errors import InvalidInput
from bns.params import Feature
from bnslab.modes.forks import Forks
from bnslab.modes.restarts import Restarts
from bnslab.wallets import AS_WRITTEN, WalletKinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bns.params import Params
    from bnslab.checks.base import Check


class Modes(NamedTuple):
    """What was asked for. Counts are in blocks, 0 for never."""

    segwit: bool = False
    reorg_every: int = 0
    depth: int = 0
    restart_every: int = 0
    epoch: int | None = None
    seed: int = 0

    @classmethod
    def of(cls, config: pytest.Config) -> Modes:
        """From the options of the plugin; InvalidInput for a value that none can have."""
        option = config.getoption
        every, depth = parse_reorgs(option("--reorg-every"))
        return cls(
            option("--wallets") == "segwit",
            every,
            depth,
            option("--restart-every"),
            option("--epoch"),
            option("--seed"),
        )

    def kinds(self, params: Params, p2pkh: frozenset[str]) -> WalletKinds:
        """The wallets of a scenario: its own where it begins in epoch 1, which knows no p2sh owners."""
        epoch = params.epoch(params.first_block)
        if not self.segwit or epoch is None or not epoch.has(Feature.MULTISIG):
            return AS_WRITTEN
        return WalletKinds(segwit=True, p2pkh=p2pkh)

    def disturbances(self, identity: str) -> list[Check]:
        """What happens after blocks of a scenario."""
        made: list[Check] = []
        if self.reorg_every:
            made.append(Forks(self.reorg_every, self.depth, f"{self.seed}/{identity}"))
        if self.restart_every:
            made.append(Restarts(self.restart_every))
        return made


def require_possible(config: pytest.Config) -> None:
    """UsageError for options of the plugin that are wrong, or that do not go together; before any scenario runs."""
    option = config.getoption
    try:
        parse_reorgs(option("--reorg-every"))
        if option("--restart-every") < 0:
            raise InvalidInput("--restart-every", option("--restart-every"), "a number of blocks")
        for name, value, reason in _impossible(option("--node"), option("--chain")):
            if option(name) not in (None, False, 0):
                raise InvalidInput(name, option(name), f"{value}: {reason}")
    except InvalidInput as error:
        raise pytest.UsageError(str(error)) from None


def _impossible(node: str, chain: str | None) -> Iterator[tuple[str, str, str]]:
    """Options that go with neither: each with what is expected instead, and why."""
    if node == "reference":
        beside = "nothing beside --node reference"
        yield "--reorg-every", beside, "it knows no reorganisation"
        yield "--restart-every", beside, "its blocks go with its process"
        yield "--fill-update", beside, "it does not say why it rejects"
    if node == "process" and chain != "bitcoind":
        yield "--chain", "bitcoind beside --node process", "such a node follows a real one"


def parse_reorgs(text: str | None) -> tuple[int, int]:
    """`N:DEPTH`, each 1 or more, as numbers; zeros for None."""
    if text is None:
        return 0, 0
    every, _, depth = text.partition(":")
    if not (every.isdecimal() and depth.isdecimal() and int(every) and int(depth)):
        raise InvalidInput("--reorg-every", text, "N:DEPTH, such as 3:2")
    return int(every), int(depth)
