"""Does what the tutorial prints, and nothing else: its files, its commands, in its terminals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from orchestrator.embedded.child_processes import children_of
from tests.end_to_end.up_on_test import wait_until

_BLOCK = re.compile(r"(?:^`(?P<file>[\w./]+)`\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_STAYS = "orchestrator up"
_READY = "The orchestrator is ready."
# What differs from run to run.
_VARIES = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+(\.\d+)? ?m?s\b( \(\d+:\d\d:\d\d\))?|\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d"
)


@dataclass(frozen=True)
class Block:
    """A block of the page: a file, or commands with or without what they print."""

    language: str
    text: str
    file: str | None

    def on_port(self, printed: int, free: int) -> Block:
        """The same, where the API has another port than the one that is printed."""
        return replace(self, text=self.text.replace(f":{printed}", f":{free}"))


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    return [Block(one["language"], one["text"], one["file"]) for one in _BLOCK.finditer(page.read_text())]


@dataclass
class Terminal:
    """A shell in a folder, and what it said."""

    folder: Path
    environment: dict[str, str]
    number: int
    shell: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder.parent / f"terminal-{self.number}.log"
        with self.log.open("w") as output:
            self.shell = subprocess.Popen(
                ["bash", "--norc"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def said(self) -> str:
        """All that it said up to now."""
        return self.log.read_text()

    def type(self, line: str) -> None:
        """Enter a line."""
        assert self.shell.stdin is not None
        self.shell.stdin.write(line + "\n")
        self.shell.stdin.flush()

    def run(self, lines: str, seconds: float) -> tuple[int, str]:
        """Enter lines and wait for their end: the exit status of the last one, and what they said."""
        before, mark = len(self.said()), f"end of {uuid4().hex}"
        self.type(f'{lines}\necho "{mark} $?"')
        wait_until(lambda: f"{mark} " in self.said()[before:], seconds, f"{lines}\n{self.said()[before:]}")
        said, _, status = self.said()[before:].partition(f"{mark} ")
        return int(status.split()[0]), said

    def close(self) -> None:
        """End it, and what runs in it."""
        self.interrupt()
        self.shell.terminate()
        self.shell.communicate(timeout=60)

    def interrupt(self) -> None:
        """Ctrl-C: for whatever runs in the foreground."""
        for pid in children_of(self.shell.pid):
            os.kill(pid, signal.SIGINT)
        wait_until(lambda: not children_of(self.shell.pid), 60, f"it does not end: {self.said()[-2_000:]}")


class Reader:
    """Who follows the page: in one terminal until `orchestrator up` stays in it, then in another."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment
        self.terminals = [Terminal(folder, environment, 1)]

    def follow(self, block: Block) -> None:
        """Do what a block says.

        Raises:
            AssertionError: something else came out than the page prints.
        """
        if block.file is not None:
            file = self.folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        elif block.language == "sh":
            self._run_all(block.text.splitlines())
        elif block.language == "console":
            for command, shown in _exchanges(block.text):
                self._compare(command, shown)
        else:
            raise AssertionError(f"the page has a block of {block.language} without a file's name above it")

    def close(self) -> None:
        """Close all terminals."""
        for terminal in reversed(self.terminals):
            terminal.close()

    def _run_all(self, lines: list[str]) -> None:
        stays = lines[-1] == _STAYS
        if commands := lines[: len(lines) - stays]:
            status, said = self.terminals[-1].run("\n".join(f"{one} || exit 1" for one in commands), 600)
            assert status == 0, said
        if stays:
            self._stay(self.terminals[-1])
            self.terminals.append(Terminal(self.folder, self._environment, len(self.terminals) + 1))

    def _stay(self, terminal: Terminal) -> None:
        before = terminal.said().count(_READY)
        terminal.type(_STAYS)
        wait_until(lambda: terminal.said().count(_READY) > before, 120, f"up is not ready: {terminal.said()}")

    def _compare(self, command: str, shown: list[str]) -> None:
        if command == "^C":
            self.terminals[0].interrupt()
        elif command == _STAYS:
            self._stay(self.terminals[0])
        else:
            _, said = self.terminals[-1].run(command, 120)
            missing = missing_line(shown, said)
            assert missing is None, f"{command}\ndoes not print: {missing}\nit prints:\n{said}"


def _exchanges(text: str) -> Iterator[tuple[str, list[str]]]:
    command, shown = "", list[str]()
    for line in text.splitlines():
        if line == "^C" or line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line.removeprefix("$ "), []
        else:
            shown.append(line)
    yield command, shown


def missing_line(shown: list[str], said: str) -> str | None:
    """The first line that was to come, in this order, and did not; `...` stands for anything, also within a line.

    Without a `...` around them the lines stand right below each other, and there are no others.
    """
    lines = [_masked(line) for line in said.splitlines() if line.strip()]
    place, anywhere = 0, False
    for line in shown:
        if line == "...":
            anywhere = True
            continue
        pattern = ".*".join(map(re.escape, _masked(line).split("...")))
        found = next((at for at in range(place, len(lines)) if re.fullmatch(pattern, lines[at])), None)
        if found is None or (found != place and not anywhere):
            return line
        place, anywhere = found + 1, False
    return None if anywhere or place == len(lines) else f"an end before {lines[place]!r}"


def _masked(line: str) -> str:
    return " ".join(_VARIES.sub("~", line).split())
