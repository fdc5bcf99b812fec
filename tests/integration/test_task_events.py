"""What monitors hear of tasks: from a real worker, by a real receiver of events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from celery import Celery
from celery.events.state import State
from kombu.asynchronous.timer import Timer

from orchestrator.cli.demo import free_ports
from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from tests.end_to_end.api_client import wait_until
from tests.end_to_end.up_on_test import clean_environment

REPOSITORY = Path(__file__).parents[2]
# As long as no test takes: what is heard sooner was not sent because the time was over.
NEVER = 10.0
RECEIVED, STARTED, SUCCEEDED, FAILED = (f"task-{name}" for name in ("received", "started", "succeeded", "failed"))


@dataclass
class Monitor:
    """Hears all events, and keeps of them what Flower keeps."""

    application: Celery
    heard: list[dict[str, Any]] = field(default_factory=list)
    state: State = field(default_factory=State)

    def hear(self, event: dict[str, Any]) -> None:
        """One of them."""
        self.heard.append(dict(event))
        self.state.event(event)

    def of(self, task_id: str) -> list[str]:
        """What was said of a task, in its order."""
        return [event["type"] for event in self.heard if event.get("uuid") == task_id]

    def expect(self, task_id: str, *kinds: str) -> None:
        """Wait until this was said of it, and nothing else."""
        wait_until(lambda: len(self.of(task_id)) >= len(kinds), lambda: f"{self.of(task_id)}, not {kinds}", NEVER / 2)
        assert self.of(task_id) == list(kinds)


@contextmanager
def monitor(url: str) -> Iterator[Monitor]:
    """One that hears whatever is said from now on."""
    one = Monitor(build_application(Settings(broker_url=url)))
    with one.application.connection_for_read() as connection:
        receiver = one.application.events.Receiver(connection, handlers={"*": one.hear})
        thread = Thread(target=receiver.capture)
        thread.start()
        try:
            wait_until(lambda: subscribers(one.application), lambda: "nobody listens")
            yield one
        finally:
            receiver.should_stop = True
            thread.join()


def subscribers(application: Celery) -> int:
    with application.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return int(channel.client.execute_command("PUBSUB", "NUMPAT"))


@dataclass
class Worker:
    """A worker, who hears it, and the tasks that it is sent."""

    process: subprocess.Popen[bytes]
    monitor: Monitor
    folder: Path

    def send(self, name: str, *args: Any) -> str:
        """Send a task and return its id."""
        return str(self.monitor.application.send_task(name, args).id)

    def run(self, name: str) -> str:
        """Send one and wait until it has run."""
        ran = self.folder / f"{name} of {self.process.pid}"
        task_id = self.send(name, str(ran))
        wait_until(ran.exists, lambda: self.said())
        return task_id

    def hold(self) -> tuple[str, Path]:
        """Have one run until the file is there."""
        held = self.folder / f"held by {self.process.pid}"
        task_id = self.send("hold", str(held))
        wait_until(Path(f"{held}.begun").exists, lambda: self.said())
        return task_id, Path(f"{held}.may_end")

    def stop(self) -> None:
        """Let it end, as at a deployment."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0

    def said(self) -> str:
        """Its log."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]


@pytest.fixture
def start_worker(tmp_path: Path, broker_url: str) -> Iterator[Callable[[float], Worker]]:
    """Starts a worker that lets task events wait for so many seconds."""
    command = [sys.executable, "-m", "celery", "--app", "tests.integration.worker_on_events", "worker"]
    command += ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    started: list[subprocess.Popen[bytes]] = []
    with (tmp_path / "log").open("ab") as log, monitor(broker_url) as heard:

        def start(seconds: float, *, sends_events: bool = True) -> Worker:
            environment = clean_environment(
                ORCHESTRATOR_BROKER_URL=broker_url,
                ORCHESTRATOR_TASK_EVENTS=str(sends_events).lower(),
                ORCHESTRATOR_TASK_EVENTS_SECONDS=str(seconds),
            )
            process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            started.append(process)
            worker = Worker(process, heard, tmp_path)
            wait_until(lambda: process.pid in {event["pid"] for event in heard.heard}, worker.said)
            return worker

        yield start
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def known(worker: Worker, task_id: str) -> dict[str, Any]:
    """What a monitor knows of a task in the end, but for what differs from one to the next."""
    task = worker.monitor.state.tasks[task_id]
    assert task.received <= task.started <= task.timestamp
    assert task.root_id == task_id
    assert task.worker.hostname.startswith("celery@")
    return {name: getattr(task, name) for name in ("name", "state", "result", "exception", "retries", "expires")} | {
        "parent": {None: "none", task_id: "itself"}[task.parent_id],
        "waits for a time": task.eta is not None,
        "args": task.args.replace(str(worker.process.pid), ""),
        "kwargs": task.kwargs,
        "runs for some time": task.runtime is not None and 0 < task.runtime < NEVER,
        "traceback": (task.traceback or "").rpartition("\n    ")[2],
    }


def test_the_end_of_a_short_task_tells_all_that_three_events_did(start_worker: Callable[[float], Worker]) -> None:
    def story(seconds: float, *begin: str) -> list[dict[str, Any]]:
        worker = start_worker(seconds)
        quick, fail, again = (worker.run(name) for name in ("quick", "fail", "again"))
        worker.stop()
        worker.monitor.expect(quick, *begin, SUCCEEDED)
        worker.monitor.expect(fail, *begin, FAILED)
        # The message of the second time may come before the main process knows that the first has ended.
        wait_until(lambda: SUCCEEDED in worker.monitor.of(again), lambda: str(worker.monitor.of(again)))
        assert worker.monitor.of(again)[:2] == [RECEIVED, STARTED]
        assert worker.monitor.of(again).count("task-retried") == 1
        return [known(worker, task_id) for task_id in (quick, fail, again)]

    each = story(0, RECEIVED, STARTED)
    together = story(NEVER)
    assert together == each
    assert [(task["state"], task["retries"]) for task in each] == [("SUCCESS", 0), ("FAILURE", 0), ("SUCCESS", 1)]
    assert "as it was told" in each[1]["exception"]


def test_a_task_that_takes_longer_is_seen_while_it_runs(start_worker: Callable[[float], Worker]) -> None:
    worker = start_worker(0.25)
    task_id, may_end = worker.hold()
    worker.monitor.expect(task_id, RECEIVED, STARTED)
    assert worker.monitor.state.tasks[task_id].state == "STARTED"
    may_end.touch()
    worker.monitor.expect(task_id, RECEIVED, STARTED, SUCCEEDED)
    assert worker.monitor.state.tasks[task_id].state == "SUCCESS"


def test_a_task_that_is_killed_at_its_limit_has_failed(start_worker: Callable[[float], Worker]) -> None:
    worker = start_worker(0.25)
    task_id = worker.send("endless")
    # Celery says it when it kills the child, and again when the child is dead.
    worker.monitor.expect(task_id, RECEIVED, STARTED, FAILED, FAILED)
    (first, _) = (event for event in worker.monitor.heard if event["type"] == FAILED)
    assert "TimeLimitExceeded" in first["traceback"]


@pytest.mark.slow
def test_a_task_whose_child_died_is_told_of_both_times(start_worker: Callable[[float], Worker]) -> None:
    worker = start_worker(NEVER)
    task_id = worker.run("die_once")
    worker.stop()
    worker.monitor.expect(task_id, RECEIVED, STARTED, "task-rejected", SUCCEEDED)


def test_a_worker_that_is_stopped_says_what_it_still_runs_and_what_ended(
    start_worker: Callable[[float], Worker],
) -> None:
    worker = start_worker(NEVER)
    ended = [worker.run("quick"), worker.run("fail")]
    held, may_end = worker.hold()
    worker.process.send_signal(signal.SIGTERM)
    for task_id, kind in zip(ended, (SUCCEEDED, FAILED), strict=True):
        worker.monitor.expect(task_id, kind)
    worker.monitor.expect(held, RECEIVED, STARTED)
    assert worker.process.poll() is None
    may_end.touch()
    assert worker.process.wait(30) == 0
    worker.monitor.expect(held, RECEIVED, STARTED, SUCCEEDED)
    assert "worker-offline" in {event["type"] for event in worker.monitor.heard}


def test_a_worker_that_lost_its_connection_says_over_the_next_what_it_could_not(
    start_worker: Callable[[float], Worker], broker_url: str
) -> None:
    worker = start_worker(NEVER)
    ended = worker.run("quick")
    held, may_end = worker.hold()
    cut_connections(worker.monitor.application)
    worker.monitor.expect(ended, SUCCEEDED)
    worker.monitor.expect(held, RECEIVED, STARTED)
    may_end.touch()
    worker.stop()
    assert worker.monitor.of(held)[2] == SUCCEEDED


def cut_connections(application: Celery) -> None:
    """All that go to this database of the broker, but for those that listen to events."""
    with application.connection_for_read() as connection:
        channel: Any = connection.default_channel
        mine = channel.client.client_id()
        clients = channel.client.client_list()
        (number,) = {client["db"] for client in clients if client["id"] == str(mine)}
        others = [one["id"] for one in clients if (one["db"], one["psub"]) == (number, "0") and one["id"] != str(mine)]
        for other in others:
            channel.client.client_kill_filter(_id=other)
        assert others


def test_what_a_broker_that_is_gone_does_not_take_is_kept_up_to_a_bound(broker: ValkeyServer) -> None:
    application = build_application(Settings(broker_url=broker.url, task_events=True))
    timer = Timer()
    dispatcher = application.events.Dispatcher(application.connection_for_write(), hostname="celery@here")
    dispatcher.gather(timer, NEVER)
    broker.stop()
    for number in range(12_000):
        dispatcher.send(RECEIVED, uuid=str(number), name="a_workflow/a_step")
        dispatcher.send(STARTED, uuid=str(number))
        dispatcher.send(SUCCEEDED, uuid=str(number), result="done", runtime=0.1)
    broker.begin()
    broker.wait_until_ready()
    with monitor(broker.url) as heard:
        dispatcher.flush()
        wait_until(lambda: heard.of("11999"), lambda: str(len(heard.heard)))
    assert [event["uuid"] for event in heard.heard] == [str(number) for number in range(2_000, 12_000)]
    assert len(timer) == 1


def test_what_cannot_be_written_as_json_holds_up_nothing_else(broker_url: str) -> None:
    application = build_application(Settings(broker_url=broker_url, task_events=True))
    dispatcher = application.events.Dispatcher(application.connection_for_write(), hostname="celery@here")
    dispatcher.gather(Timer(), NEVER)
    with monitor(broker_url) as heard:
        dispatcher.send("task-custom", uuid="1", value=object())
        dispatcher.flush()
        dispatcher.send("task-custom", uuid="2", value=2)
        dispatcher.flush()
        heard.expect("2", "task-custom")
    assert heard.of("1") == []


@pytest.mark.slow
@pytest.mark.parametrize("sends_events", [True, False])
def test_flower_has_workers_send_events_only_where_they_are_wanted(
    start_worker: Callable[..., Worker], broker_url: str, sends_events: bool
) -> None:
    worker = start_worker(0, sends_events=False)
    (port,) = free_ports(1)
    environment = clean_environment(
        ORCHESTRATOR_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        ORCHESTRATOR_BROKER_URL=broker_url,
        ORCHESTRATOR_TASK_EVENTS=str(sends_events).lower(),
        ORCHESTRATOR_FLOWER_PORT=str(port),
    )
    flower = subprocess.Popen([sys.executable, "-m", "orchestrator", "flower"], cwd=REPOSITORY, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait_until(lambda: answers(client), worker.said, 20)
        time.sleep(6.0)  # it says so every five seconds
        task_id = worker.run("quick")
        worker.stop()
        assert worker.monitor.of(task_id) == ([RECEIVED, STARTED, SUCCEEDED] if sends_events else [])
    finally:
        flower.terminate()
        flower.wait(20)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/workers").status_code == 200
    except httpx.TransportError:
        return False
