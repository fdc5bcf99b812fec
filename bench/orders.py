"""A program of a contender that stays and does what it is told: its start is not part of what is measured."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.peers.orders import MARK


class Orders:
    """The other end of `bench.peers.orders`."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    @property
    def pid(self) -> int:
        """Of the program."""
        return self._process.pid

    def send(self, *arguments: object) -> None:
        """Give an order, and do not wait."""
        self._pipe(self._process.stdin).write(json.dumps(arguments) + "\n")
        self._pipe(self._process.stdin).flush()

    def receive(self) -> Any:
        """Wait for the next answer.

        Raises:
            RuntimeError: the program ended; with the end of its log.
        """
        for line in self._pipe(self._process.stdout):
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        raise RuntimeError(f"{self._process.args!r} ended: {self._log.read_text()[-4000:]}")

    def give(self, *arguments: object) -> Any:
        """Give an order and wait for the answer."""
        self.send(*arguments)
        return self.receive()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@contextmanager
def taking_orders(
    command: Sequence[str | Path], log: Path, variables: Mapping[str, str], folder: Path
) -> Iterator[Orders]:
    """Start a program; it may not be ready yet. It is killed when it is no more needed."""
    pipe = subprocess.PIPE
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(variables),
            stdin=pipe,
            stdout=pipe,
            stderr=errors,
            text=True,
        )
    try:
        yield Orders(process, log)
    finally:
        process.kill()
        process.communicate()
