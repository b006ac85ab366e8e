"""./lab fmt: the canonical form of scripts."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True, path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; exit status 1 if a script is not in canonical form.")
def command(paths: tuple[Path, ...], check: bool) -> int:
    """Bring scripts (*.bns) into their canonical form.

    A directory stands for all scripts in it. Comments stay. What cannot be understood is left as it is, and told with
    its place.
    """
    from bnslab.script.formatting import format_script
    from bnslab.script.parsing import read

    found = [file for path in paths for file in (sorted(path.rglob("*.bns")) if path.is_dir() else [path])]
    texts = {file: format_script(read(file)) for file in found}
    changed = [file for file, text in texts.items() if text.encode() != file.read_bytes()]
    for file in changed:
        if not check:
            file.write_text(texts[file], encoding="utf-8", newline="\n")
        click.echo(f"{'would reformat' if check else 'reformatted'} {file}")
    done = "would be reformatted" if check else "reformatted"
    click.echo(f"{len(found)} scripts, {len(changed)} {done}")
    return 1 if check and changed else 0
