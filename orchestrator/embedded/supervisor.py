"""Run the processes of a Procfile, start them again when they end, and stop them in good order."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TextIO

from orchestrator.embedded.child_processes import spawn
from orchestrator.embedded.procfile import Program

_LONGEST_PAUSE = 30.0  # seconds between two starts
_RAN_WELL = 20.0  # seconds after which an end counts as the first one again
_LONGEST_LINE = 65_536
_COLOURS = (36, 33, 32, 35, 34, 31)


@dataclass
class _Place:
    """A program with the process that runs it now, or the moment at which the next one is due."""

    program: Program
    prefix: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = 1.0
    told: bool = False  # to end
    begun_line: bytes = b""


class Supervisor:
    """Runs programs until SIGINT, SIGTERM or SIGHUP, prefixing their output with their names.

    Each program leads a session of its own, so a Ctrl-C reaches the supervisor alone. On a stop SIGTERM goes to the
    main processes only; what is left after `grace` seconds, or at a second Ctrl-C, is killed with its process group.
    `tick` is called about once a second; what it raises ends the run at once.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        *,
        output: TextIO,
        folder: Path | None = None,
        grace: float = 30.0,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        width = max(len(program.name) for program in programs)
        paint = "\x1b[{}m{:<{}} |\x1b[0m" if output.isatty() else "{1:<{2}} |"
        pairs = zip(programs, cycle(_COLOURS), strict=False)
        self._places = [_Place(program, paint.format(colour, program.name, width)) for program, colour in pairs]
        self._environment = {"PYTHONUNBUFFERED": "1", **environment}
        self._output, self._folder, self._grace, self._tick = output, folder, grace, tick
        self._selector = selectors.DefaultSelector()
        self._stop_by: float | None = None  # when to lose patience; set once we are stopping

    def run(self) -> None:
        """Run until told to stop; return when every process has ended. Call it from the main thread."""
        before = {each: signal.signal(each, self._on_signal) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        next_tick = time.monotonic() + 1
        try:
            while self._stop_by is None or any(place.process for place in self._places):
                for place in self._places:
                    self._look_after(place, time.monotonic())
                if self._stop_by is None and time.monotonic() >= next_tick:
                    self._tick()
                    next_tick = time.monotonic() + 1
                for key, _ in self._selector.select(0.1):
                    self._read(key.data)
        finally:
            for place in self._places:
                self._kill(place)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._stop_by is None:
            self._stop_by = time.monotonic() + self._grace
        elif number == signal.SIGINT:
            self._stop_by = time.monotonic()

    def _look_after(self, place: _Place, now: float) -> None:
        if place.process is None:
            if self._stop_by is None and now >= place.due:
                self._start(place, now)
        elif os.waitid(os.P_PID, place.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            how = self._kill(place)  # the children that it left, while its number is still ours
            place.pause = 1.0 if now - place.started > _RAN_WELL else place.pause
            if self._stop_by is None:
                self._say(place, f"ended ({how}), starts again in {place.pause:.0f} s")
            place.due = now + place.pause
            place.pause = min(place.pause * 2, _LONGEST_PAUSE)
        elif self._stop_by is not None and not place.told:
            place.process.send_signal(signal.SIGTERM)
            place.told = True
        elif self._stop_by is not None and now >= self._stop_by:
            self._say(place, "did not end in time and is killed")
            self._kill(place)

    def _start(self, place: _Place, now: float) -> None:
        place.started = now
        place.process = spawn(
            ["/bin/sh", "-c", f"exec {place.program.command}"],
            environment=self._environment,
            death_signal=signal.SIGKILL,  # a gentler one leaves Celery hanging, whose broker dies with us
            folder=self._folder,
            stdout=subprocess.PIPE,
        )
        if place.process.stdout:
            os.set_blocking(place.process.stdout.fileno(), False)
            self._selector.register(place.process.stdout, selectors.EVENT_READ, place)

    def _kill(self, place: _Place) -> str:
        if place.process is None:
            return "not running"
        with suppress(ProcessLookupError):
            os.killpg(place.process.pid, signal.SIGKILL)
        status = place.process.wait()
        self._read(place, last=True)
        place.process = None
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _read(self, place: _Place, *, last: bool = False) -> None:
        pipe = place.process.stdout if place.process else None
        if pipe is None or pipe.closed:
            return
        chunk: bytes | None = pipe.read(_LONGEST_LINE)  # None: nothing there, b"": closed
        last = last or chunk == b""
        *lines, place.begun_line = (place.begun_line + (chunk or b"")).split(b"\n")
        if place.begun_line and (last or len(place.begun_line) > _LONGEST_LINE):
            lines, place.begun_line = [*lines, place.begun_line], b""
        for line in lines:
            self._say(place, line.decode(errors="replace"))
        if last:
            self._selector.unregister(pipe)
            pipe.close()

    def _say(self, place: _Place, text: str) -> None:
        with suppress(OSError, ValueError):  # a closed terminal or pipe is no reason to stop
            print(place.prefix, text, file=self._output, flush=True)
