"""orchestrator-core with its threadpool executor, which runs steps in threads of the processes of its API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.contenders.core import TABLES, database, program_of, settings
from bench.contenders.tabled import Tabled
from bench.ground import Ground

# What it has by default in each process.
_THREADS = 5


@dataclass(frozen=True)
class CoreThreads:
    """As many processes of its API as the others have children, each with as many threads as by default."""

    websockets: bool = True

    @contextmanager
    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> Iterator[Tabled]:
        """Start it on a database of its own, and warm it up; it knows no task events."""
        assert not events
        ground.empty_broker()
        with database(ground) as url, ExitStack() as stack:
            variables = settings(ground, url, websockets=self.websockets, executor="threadpool") | {
                "MAX_WORKERS": str(_THREADS)
            }
            programs = [stack.enter_context(program_of(ground, variables, "start")) for _ in range(children)]
            for one in programs:
                one.receive()

            def start(workflow: str, count: int, *, pause: float = 0.0, held: bool = False) -> None:
                # With a pause it is one after the other, which is the same wherever it runs.
                sharing = programs[:1] if pause else programs
                for number, one in enumerate(sharing):
                    share = count // len(sharing) + (number < count % len(sharing))
                    one.send(workflow, share, pause, held)
                for one in sharing:
                    one.receive()

            tabled = Tabled(url, TABLES, start, tuple(one.pid for one in programs))
            # After its first process a thread is busy with imports for seconds: the second round waits for that.
            tabled.warm_up(children * _THREADS)
            tabled.warm_up(children * _THREADS)
            yield tabled
