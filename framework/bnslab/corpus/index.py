"""docs/reference/corpus.md: which of our scenarios stands for which of the catalogue, and which tests fill its gaps.

A case stands for a scenario of the catalogue if the id is its own name: that of a test function without `test_`, of a
parameter, or of a script.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GAPS: Mapping[str, tuple[str, ...]] = {
    "1 reorganisations": (
        "scenarios/gaps/test_reorgs.py", "framework/tests/test_lab_reorg.py", "framework/tests/test_modes.py",
        "framework/tests/test_node_campaigns.py",
    ),
    "2 bitcoind outages": ("core/tests/test_cli_follow.py", "framework/tests/test_node_bitcoind.py"),
    "3 kill and restart": (
        "core/tests/test_node_durability.py", "core/tests/test_node_disk.py", "framework/tests/test_node_campaigns.py",
        "framework/tests/test_modes.py",
    ),
    "4 long catch-up": ("core/tests/test_node_indexer.py", "framework/tests/test_node_bitcoind.py"),
    "5 large and odd blocks": ("scenarios/gaps/test_payloads.py", "core/tests/test_rules_parsing.py"),
    "6 payloads": ("scenarios/gaps/test_payloads.py", "scenarios/corpus/test_parsing.py"),
    "7 fees": ("scenarios/gaps/test_fees.py", "scenarios/gaps/test_boundaries.py"),
    "8 boundary blocks": ("scenarios/gaps/test_boundaries.py", "scenarios/names/test_lifetime.py"),
    "9 consensus hashes": ("scenarios/gaps/test_boundaries.py", "scenarios/gaps/test_reorgs.py"),
    "10 quotas": ("scenarios/gaps/test_owners.py", "scenarios/corpus/test_quotas.py"),
    "11 same block": ("scenarios/gaps/test_same_block.py", "core/tests/test_rules_collisions.py"),
    "12 odd moments": ("scenarios/gaps/test_owners.py", "core/tests/test_rules_quirks.py"),
    "13 versions and creators": ("scenarios/gaps/test_fees.py",),
    "14 odd owners": ("scenarios/gaps/test_owners.py", "core/tests/test_rules_parsing.py"),
    "15 announcements": ("scenarios/namespaces/test_namespaces.py",),
    "16 zone files": ("core/tests/test_zonefiles_store.py", "framework/tests/test_lab_zonefiles.py"),
    "17 peers": (
        "core/tests/test_atlas_simulator.py", "core/tests/test_atlas_protocol.py", "core/tests/test_atlas_service.py",
        "framework/tests/test_network_campaign.py",
    ),
    "18 subdomains": ("core/tests/test_subdomains_machine.py", "core/tests/test_subdomains_fuzz.py"),
    "19 identifiers": ("core/tests/test_dids.py",),
    "20 interfaces": ("core/tests/test_rpc.py", "core/tests/test_rest_routes.py", "core/tests/test_requests.py"),
    "21 concurrency": ("core/tests/test_node_reading.py", "core/tests/test_abuse.py"),
    "22 fast-sync": (
        "core/tests/test_snapshots_archive.py", "core/tests/test_snapshots_restore.py",
        "framework/tests/test_snapshots_reference.py",
    ),
}  # fmt: skip
"""What spec 10 section 4 finds untested, and where it is tested here."""

_SECTION = re.compile(r"### (3\.\d+) ")
_ID = re.compile(r"\| ([a-z0-9_]+) \|")
_NAME = re.compile(r"(?:test_)?(?P<name>[^\[]+)(?:\[(?P<parameters>.*)\])?")

HEAD = """\
# The corpus

Made by `python -m bnslab.corpus > docs/reference/corpus.md`.

For each scenario of [the catalogue](../spec/10-scenarios.md) the cases that stand for it; `./lab run -k ID` runs them.
"""

GAPS_HEAD = """\
## What the catalogue leaves untested

The numbers are those of its section 4.
"""


class Entry(NamedTuple):
    """A scenario of the catalogue: its section and its id."""

    section: str
    id: str


def catalogue(text: str) -> list[Entry]:
    """The scenarios of spec 10 section 3, in its order: the rows of every table whose first column is `id`."""
    entries: list[Entry] = []
    section, in_table = "", False
    for line in text.partition("\n## 4")[0].splitlines():
        if found := _SECTION.match(line):
            section = found[1]
        in_table = line.startswith("| id |") or (in_table and line.startswith("|"))
        if in_table and (row := _ID.match(line)) and row[1] != "id":
            entries.append(Entry(section, row[1]))
    return entries


def cases(entries: Iterable[Entry], node_ids: Iterable[str]) -> dict[str, list[str]]:
    """The cases of each scenario, sorted, from the ids of all tests."""
    found: dict[str, list[str]] = {entry.id: [] for entry in entries}
    for node_id in sorted(node_ids):
        for name in names_of(node_id) & found.keys():
            found[name].append(node_id)
    return found


def names_of(node_id: str) -> set[str]:
    """What a test can be called by: its function, its parameters, its file if that is a script."""
    path, _, test = node_id.partition("::")
    parts = _NAME.fullmatch(test.rpartition("::")[2])
    names = {path.rpartition("/")[2].removesuffix(".bns")} if path.endswith(".bns") else set()
    if parts is not None:
        names |= {parts["name"], *(parts["parameters"] or "").split("-")}
    return names


def missing(entries: Iterable[Entry], found: Mapping[str, Sequence[str]]) -> list[str]:
    """Scenarios without a case."""
    return [entry.id for entry in entries if not found[entry.id]]


def render(entries: Iterable[Entry], found: Mapping[str, Sequence[str]]) -> str:
    """The document."""
    lines = [HEAD, "| section | scenario | cases |", "|---|---|---|"]
    for entry in entries:
        told = "<br>".join(f"`{case}`" for case in found[entry.id]) or "none"
        lines.append(f"| {entry.section} | `{entry.id}` | {told} |")
    lines += ["", GAPS_HEAD, "| gap | tests |", "|---|---|"]
    for gap, places in GAPS.items():
        lines.append(f"| {gap} | {'<br>'.join(f'`{place}`' for place in places)} |")
    return "\n".join(lines) + "\n"
