"""Read a Procfile: one `name: command` a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ProcfileError

_LINE = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]*):\s*(?P<command>\S.*)")


@dataclass(frozen=True)
class Program:
    """A process to run: its name, and its command in the words of `sh` ($VAR and ${VAR:-default} work)."""

    name: str
    command: str


def read_procfile(file: Path) -> tuple[Program, ...]:
    """Return the programs of a Procfile in their order.

    Raises ProcfileError naming the line that is no `name: command`, the name that comes twice, or the missing file.
    """
    try:
        text = file.read_text()
    except OSError as error:
        raise ProcfileError(f"The Procfile {file} cannot be read: {error.strerror}.") from error
    programs: dict[str, Program] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            raise ProcfileError(f"{file}, line {number}: expected 'name: command', found {stripped!r}.")
        if found["name"] in programs:
            raise ProcfileError(f"{file}, line {number}: the name {found['name']!r} comes twice.")
        programs[found["name"]] = Program(found["name"], found["command"])
    if not programs:
        raise ProcfileError(f"The Procfile {file} names no process.")
    return tuple(programs.values())
