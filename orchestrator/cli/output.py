"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNLIMITED = 10_000
_UUID_WIDTH = 36

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
    """A table of which nothing is cut off: wide into a file or a pipe, folded on a terminal, with ids in one piece."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        has_ids = any(isinstance(row[index], UUID) for row in rows)
        table.add_column(column, overflow="fold", min_width=_UUID_WIDTH if has_ids else None)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)


def local_time(moment: datetime | None) -> str:
    """A moment as a clock on this machine shows it."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
