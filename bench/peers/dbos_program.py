"""DBOS with the same work: `dbos_program.py work`, and `dbos_program.py start`, which is told how many to enqueue."""

from __future__ import annotations

import os
import sys
import threading

from dbos import DBOS, DBOSConfig
from orders import obey

QUEUE = "bench"


@DBOS.step()
def change_little(number: int) -> int:
    return number


@DBOS.workflow()
def ten_steps() -> int:
    for number in range(10):
        change_little(number)
    return 10


def enqueue(count: int) -> None:
    for _ in range(count):
        DBOS.enqueue_workflow(QUEUE, ten_steps)


def _launch() -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": os.environ["BENCH_DATABASE_URL"],
        "application_version": "bench",
        "executor_id": str(os.getpid()),
        "log_level": "INFO",
        "run_admin_server": False,
    }
    DBOS(config=config)


def main() -> None:
    _launch()
    if sys.argv[1] == "start":
        DBOS.listen_queues([])
        DBOS.launch()
        DBOS.register_queue(QUEUE)
        obey(enqueue)
        DBOS.destroy()
        return
    DBOS.launch()
    DBOS.register_queue(QUEUE)
    threading.Event().wait()


if __name__ == "__main__":
    main()
