"""Many seeds: each makes a program, each program is run, what fails is made small and kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from bnslab import fixtures
from bnslab.fuzz.generator import generate
from bnslab.fuzz.program import write
from bnslab.fuzz.shrink import shrink
from bnslab.fuzz.telling import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.fuzz.divergence import Divergence
    from bnslab.fuzz.duel import Tally
    from bnslab.fuzz.program import Program
    from bnslab.fuzz.targets import Target, Trial


LONGEST_LINE = 160
"""Of a script that is shown; the file has all of it."""


@dataclass(frozen=True)
class Failure:
    """A program that fails, as small as it was made, and the files that hold it: program, chain, and script.

    options are those of the command that runs it again.
    """

    program: Program
    divergence: Divergence
    program_file: Path
    chain_file: Path
    script_file: Path
    options: str

    def __str__(self) -> str:
        told = self.script_file.read_text(encoding="utf-8").splitlines()
        return "\n".join(
            [
                f"{self.program.name}: {self.divergence}",
                f"  smallest case: {len(self.program.blocks)} blocks, {self.program.size} operations",
                *(f"    {line[:LONGEST_LINE]}" for line in told),
                f"  script: ./lab run {self.script_file}",
                f"  chain: {self.chain_file}",
                f"  replay: ./lab fuzz --program {self.program_file}{self.options}",
            ]
        )


@dataclass
class Summary:
    """What a campaign has seen: runs, failures, fates of operations, and a digest over all its chains."""

    runs: int = 0
    failures: int = 0
    tally: Tally = field(default_factory=Counter)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, trial: Trial) -> None:
        """Count one run."""
        self.runs += 1
        self.failures += trial.divergence is not None
        self.tally.update(trial.tally)
        self._digest.update(trial.chain.blocks[-1].hash.encode())

    def __str__(self) -> str:
        lines = []
        kinds = sorted({kind for kind, _ in self.tally})
        for kind in kinds:
            fates = {fate: count for (one, fate), count in self.tally.items() if one == kind}
            accepted = fates.pop("accepted", 0)
            told = ", ".join(f"{fate} {fates[fate]}" for fate in sorted(fates, key=lambda fate: (-fates[fate], fate)))
            lines.append(f"{kind}: accepted {accepted}" + (f", {told}" if told else ""))
        total = sum(self.tally.values())
        accepted = sum(count for (_, fate), count in self.tally.items() if fate == "accepted")
        share = f"{total} operations, {accepted} accepted" if total else "no operations"
        lines.append(f"{self.runs} runs, {self.failures} failed, {share}, chains {self._digest.hexdigest()[:16]}")
        return "\n".join(lines)


def program_of(seed: int, *, blocks: int, target: Target) -> Program:
    """The program of a seed. Chains for the model may hold what the reference aborts on."""
    rng = Random(seed)
    fatal = rng.random() < 0.25
    return generate(rng, f"fuzz/{seed}", blocks=blocks, fatal=fatal and target.name == "model")


def programs(seed: int, runs: int, *, blocks: int, target: Target) -> Iterator[Program]:
    """The programs of so many seeds from one on."""
    return (program_of(each, blocks=blocks, target=target) for each in range(seed, seed + runs))


def keep(program: Program, trial: Trial, target: Target, output: Path, *, budget: int) -> Failure:
    """Make a failing program small with at most budget runs, and write it and its chain below output."""
    assert trial.divergence is not None, "only failures are kept"
    small, divergence = shrink(program, trial.divergence, lambda candidate: target.run(candidate).divergence, budget)
    stem = program.name.replace("/", "-")
    program_file, chain_file = output / f"{stem}.program.json", output / f"{stem}{fixtures.SUFFIX}"
    script_file = output / f"{stem}.bns"
    write(program_file, small)
    script_file.write_text(script_of(small, divergence), encoding="utf-8")
    fixtures.save(chain_file, target.run(small).chain)
    return Failure(small, divergence, program_file, chain_file, script_file, target.options)
