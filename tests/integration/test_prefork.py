"""The pool of a worker and what it notes with the broker: a real worker, a real broker, children that end early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from orchestrator.embedded.child_processes import children_of
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from tests.end_to_end.api_client import wait_until
from tests.end_to_end.up_on_test import clean_environment

REPOSITORY = Path(__file__).parents[2]
UNACKED = "orchestrator:unacked"


class Worker:
    """A worker, and who sends it tasks."""

    def __init__(self, url: str, folder: Path, *options: str) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.application: Celery = build_application(Settings(broker_url=url))
        self.broker = self._client()
        command = [sys.executable, "-m", "celery", "--app", "tests.integration.worker_on_events", "worker"]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "INFO", *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=clean_environment(ORCHESTRATOR_BROKER_URL=url),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: "ready." in self.said(), self.said)

    def send(self, name: str, *args: Any) -> None:
        self.application.send_task(name, args)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def unacked(self) -> list[list[Any]]:
        """What the broker has been told of messages that are taken and not done with."""
        noted: dict[bytes, bytes] = self.broker.hgetall(UNACKED)  # type: ignore[assignment]
        index: list[bytes] = self.broker.zrange(f"{UNACKED}_index", 0, -1)  # type: ignore[assignment]
        if set(noted) != set(index):
            return []  # between the two
        return [json.loads(one) for one in noted.values()]

    def wait_until_nothing_is_unacked(self) -> None:
        wait_until(lambda: not self.broker.exists(UNACKED, f"{UNACKED}_index"), lambda: str(self.unacked()))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.said()

    def _client(self) -> redis.Redis:
        with self.application.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return redis.Redis(connection_pool=redis.ConnectionPool(**channel._connparams()))


@pytest.fixture
def start_worker(tmp_path: Path, broker_url: str) -> Iterator[Callable[..., Worker]]:
    """Starts a worker with these options of Celery's command."""
    started: list[Worker] = []

    def start(*options: str) -> Worker:
        started.append(Worker(broker_url, tmp_path, *options))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()
        worker.broker.close()


def times_run(folder: Path) -> list[int]:
    return sorted(len(one.read_text().splitlines()) for one in folder.glob("task*"))


def test_a_child_that_has_run_all_that_it_may_leaves_what_it_was_given_since_to_another(
    start_worker: Callable[..., Worker],
) -> None:
    worker = start_worker("--max-tasks-per-child", "3", "--concurrency", "2")
    for number in range(20):
        worker.send("count", str(worker.folder / f"task {number}"))
    wait_until(lambda: len(times_run(worker.folder)) == 20, worker.said)
    worker.wait_until_nothing_is_unacked()
    worker.stop()
    assert times_run(worker.folder) == [1] * 20
    assert "WorkerLostError" not in worker.said()
    assert worker.said().count("succeeded in") == 20


@pytest.mark.parametrize("size", [0, 300_000], ids=["written", "written in part"])
def test_a_child_that_is_killed_leaves_what_it_has_not_read_to_another(
    start_worker: Callable[..., Worker], size: int
) -> None:
    worker = start_worker("--concurrency", "1")
    (child,) = children_of(worker.process.pid)
    os.kill(child, signal.SIGSTOP)
    worker.application.send_task("count", [str(worker.folder / "task")], headers={"large": "x" * size})
    wait_until(lambda: len(worker.unacked()) == 1, worker.said)
    (active,) = worker.application.control.inspect(timeout=5, limit=1).active().values()
    assert [one["worker_pid"] for one in active] == [child]
    os.kill(child, signal.SIGKILL)
    wait_until((worker.folder / "task").exists, worker.said)
    worker.wait_until_nothing_is_unacked()
    worker.stop()
    assert times_run(worker.folder) == [1]
    assert "WorkerLostError" not in worker.said()
    assert worker.said().count("received") == 1


def test_a_task_begins_when_it_is_given_to_a_child_that_has_nothing_else_to_do(
    start_worker: Callable[..., Worker],
) -> None:
    worker = start_worker("--concurrency", "2")
    for number in (1, 2):
        worker.send("hold", str(worker.folder / f"held {number}"))
    for number in (1, 2):
        wait_until((worker.folder / f"held {number}.begun").exists, worker.said)
    (active,) = worker.application.control.inspect(timeout=5, limit=1).active().values()
    assert {one["worker_pid"] for one in active} == set(children_of(worker.process.pid))
    assert all(one["time_start"] for one in active)
    # Both children are busy: this one waits with the broker, where another worker can take it.
    worker.send("quick", str(worker.folder / "quick"))
    assert worker.broker.llen("orchestrator:workflows") == 1
    (worker.folder / "held 1.may_end").touch()
    wait_until((worker.folder / "quick").exists, worker.said)
    (worker.folder / "held 2.may_end").touch()
    worker.wait_until_nothing_is_unacked()
    worker.stop()


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_message_is_noted_while_its_task_runs_as_kombu_would_note_it(
    start_worker: Callable[..., Worker], pool: str
) -> None:
    worker = start_worker("--pool", pool, "--concurrency", "1")
    worker.send("hold", str(worker.folder / "held"))
    wait_until((worker.folder / "held.begun").exists, worker.said)
    wait_until(lambda: len(worker.unacked()) == 1, lambda: str(worker.unacked()))
    ((message, exchange, routing_key),) = worker.unacked()
    assert message["headers"]["task"] == "hold"
    assert message["properties"]["delivery_tag"].encode() in worker.broker.hkeys(UNACKED)
    assert (exchange, routing_key) == ("", "workflows")
    (worker.folder / "held.may_end").touch()
    worker.wait_until_nothing_is_unacked()
    worker.stop()


def test_what_a_killed_worker_has_noted_is_handed_out_again_by_kombu(
    start_worker: Callable[..., Worker],
) -> None:
    worker = start_worker("--concurrency", "1")
    worker.send("hold", str(worker.folder / "held"))
    wait_until((worker.folder / "held.begun").exists, worker.said)
    wait_until(lambda: len(worker.unacked()) == 1, lambda: str(worker.unacked()))
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    plain = Celery(broker=worker.application.conf.broker_url)
    options = {"global_keyprefix": "orchestrator:", "visibility_timeout": 0, "priority_steps": [0]}
    with plain.connection_for_read(transport_options=options) as connection:
        channel: Any = connection.default_channel
        channel.qos.restore_visible(interval=1)
    assert worker.broker.llen("orchestrator:workflows") == 1
    assert not worker.broker.exists(UNACKED, f"{UNACKED}_index")


def test_a_task_that_ends_when_its_connection_is_gone_runs_once_more_and_alarms_nobody(
    start_worker: Callable[..., Worker],
) -> None:
    worker = start_worker("--concurrency", "2")
    worker.send("hold", str(worker.folder / "held"))
    wait_until((worker.folder / "held.begun").exists, worker.said)
    wait_until(lambda: len(worker.unacked()) == 1, lambda: str(worker.unacked()))
    worker.broker.client_kill_filter(skipme=True, _type="normal")
    wait_until(lambda: worker.said().count("received") == 2, worker.said)
    (worker.folder / "held.may_end").touch()
    wait_until(lambda: worker.said().count("succeeded in") == 2, worker.said)
    worker.wait_until_nothing_is_unacked()
    worker.stop()
    assert "whose connection is gone" in worker.said()
    assert "Couldn't ack" not in worker.said()
