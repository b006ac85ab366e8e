"""docs/reference/cli.md, made from the commands themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# Command line

Made by `./lab --reference > docs/reference/cli.md`.

An error is one message on stderr and exit status 2; Ctrl-C is exit status 130.
"""


def render(root: click.Group, prog: str = "./lab") -> str:
    """Return the reference of all commands below root, and of those of the node, as Markdown."""
    from bns import cli
    from bns.commands import common, snapshots

    programs = ((prog, root), (common.PROGRAM, cli.root), (snapshots.PROGRAM, snapshots.root))
    return "\n".join([HEAD, *(section for name, group in programs for section in _sections(group, name, None))])


def _sections(group: click.Group, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(group, parent, info_name=path)
    for name in group.list_commands(context):
        command = cast("click.Command", group.get_command(context, name))
        yield _section(command, f"{path} {name}", context)
        if isinstance(command, click.Group):
            yield from _sections(command, f"{path} {name}", context)


def _section(command: click.Command, path: str, parent: click.Context) -> str:
    context = click.Context(command, parent, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    options = [option for option in command.params if isinstance(option, click.Option)]
    records = [option.get_help_record(context) for option in options]
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in filter(None, records)]
    table = ["| option | does |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"## {path}", "", f"`{usage}`", "", _text(command.help or ""), "", *table])


def _text(help_text: str) -> str:
    paragraphs = help_text.replace("\b\n", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
