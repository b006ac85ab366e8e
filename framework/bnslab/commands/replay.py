"""./lab replay: what the core makes of a chain file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bns.errors import InvalidInput

if TYPE_CHECKING:
    from bnslab.fixtures import Fixture


@click.command()
@click.argument("chainfile", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the fixture."
)
def command(chainfile: Path, output: Path | None) -> None:
    """Index a chain file and write its expected part.

    With -o, the whole file with its expected part goes to OUT, ready for consume; without it, the expected part goes
    to standard output as JSON.
    """
    import msgspec

    from bnslab import fixtures

    fixture = indexed(fixtures.load(chainfile))
    if output is not None:
        fixtures.save(output, fixture)
        return
    assert fixture.expected is not None, "it was just made"
    members = {name: value for name, value in msgspec.structs.asdict(fixture.expected).items() if value}
    click.echo(msgspec.json.format(msgspec.json.encode(members, order="sorted"), indent=1))


def indexed(fixture: Fixture) -> Fixture:
    """The same chain with what the core makes of it; an expected part that it has is replaced."""
    from msgspec.structs import replace

    from bns.state.store import State
    from bns.subdomains.offchain import Offchain
    from bns.zonefiles.store import MemoryZonefiles
    from bnslab import fixtures
    from bnslab.consume import replay

    params = fixture.params
    if not fixture.blocks[0].height <= params.first_block <= fixture.tip:
        raise InvalidInput("first block to index", params.first_block, f"{fixture.blocks[0].height} to {fixture.tip}")
    state = State.memory(params)
    try:
        offchain = Offchain(state, MemoryZonefiles())
        receipts = list(replay(fixture, state, offchain))
        made = fixtures.make(fixture.scenario, params, fixture.blocks, (), receipts, offchain, fixture.zonefiles)
    finally:
        state.close()
    return replace(fixture, first_block=params.first_block, expected=made.expected)
