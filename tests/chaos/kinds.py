"""The kinds of fault by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.chaos.broker_faults import copy_messages, flush_broker, restart_broker
from tests.chaos.clock_faults import kill_clock, sigterm_clock, stop_clock
from tests.chaos.server_faults import kill_web, pause_engine, restart_postgresql, sigterm_web
from tests.chaos.storm import Storm
from tests.chaos.worker_faults import cut_network, kill_child, kill_worker, sigterm_worker, stop_worker

FAULTS: Final[dict[str, Callable[[Storm], None]]] = {
    fault.__name__: fault
    for fault in (
        kill_child,
        kill_worker,
        sigterm_worker,
        stop_worker,
        cut_network,
        kill_clock,
        sigterm_clock,
        stop_clock,
        kill_web,
        sigterm_web,
        restart_postgresql,
        restart_broker,
        flush_broker,
        copy_messages,
        pause_engine,
    )
}

CUT: Final = cut_network.__name__

# The longest that the median time to recover may be, in seconds.
LONGEST_MEDIANS: Final = {
    kill_child.__name__: 2.0,
    kill_worker.__name__: 10.0,
    kill_clock.__name__: 5.0,
    flush_broker.__name__: 10.0,
    cut_network.__name__: 30.0,
}
