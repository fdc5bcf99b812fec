"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNLIMITED = 10_000

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(value: Any) -> None:
    """Indented JSON on standard output; frozen values of the services are written as objects."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
    click.echo(orjson.dumps(value, default=_as_json, option=options).decode())


def _as_json(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table, a line for each row: whole into a file or a pipe; on a terminal a line too long for it ends in `…`."""
    console = console_of()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(Text("" if cell is None else " ".join(str(cell).split())) for cell in row))
    # Rich would take whole columns away where they have no room, and say nothing.
    for line in console.render_lines(table, console.options.update(width=_UNLIMITED), pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ellipsis")


def console_of(*, quiet: bool = False) -> Console:
    """Standard output, on which nothing is wrapped unless it is a terminal."""
    console = Console(highlight=False, quiet=quiet)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def local_time(moment: datetime | None) -> str:
    """A moment as a clock on this machine shows it."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
