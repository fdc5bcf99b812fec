"""Everything with RabbitMQ as the broker: what is lost is rung for, what is kept is not rung for twice."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from kombu import Connection

from tests.end_to_end.api_client import done, row_of, wait_until
from tests.end_to_end.fleet import Fleet, new_fleet
from tests.end_to_end.rabbitmq_server import RabbitServer, rabbitmq_server
from tests.end_to_end.running_system import running_system
from tests.end_to_end.test_flower import look_at_pages, tasks_of

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

STEPS = ["start", *(f"step_{number}" for number in range(1, 11)), "done"]


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitServer]:
    """One RabbitMQ for this module."""
    with rabbitmq_server() as running:
        yield running


@pytest.fixture
def rabbitmq(server: RabbitServer) -> RabbitServer:
    """The same, without queues."""
    server.move_to_new_vhost()
    return server


@pytest.fixture
def fleet(catalog_database_url: str, rabbitmq: RabbitServer) -> Iterator[Fleet]:
    with new_fleet(catalog_database_url, rabbitmq) as made:
        yield made


def waiting(rabbitmq: RabbitServer) -> int:
    """How many messages nobody has taken."""
    with Connection(rabbitmq.url) as connection:
        channel = connection.channel()
        return sum(channel.queue_declare(name, passive=True).message_count for name in ("tasks", "workflows"))


def test_a_process_of_ten_steps_is_completed_and_the_broker_has_no_queue_too_many(
    fleet: Fleet, rabbitmq: RabbitServer
) -> None:
    fleet.web()
    fleet.worker().wait_until_it_said("ready.")
    ended = fleet.run("ten_steps")
    assert done(ended) == STEPS
    assert [row["attempt"] for row in ended["steps"]] == [1] * len(STEPS)
    assert len({row["task_id"] for row in ended["steps"]}) == len(STEPS)
    control, *ours = sorted(rabbitmq.queues("type", "durable"), key=lambda queue: "pidbox" not in queue[0])
    assert control[0].endswith(".celery.pidbox")
    assert ours == [["tasks", "quorum", "true"], ["workflows", "quorum", "true"]]


def test_a_worker_child_killed_in_a_step_loses_nothing_and_does_nothing_twice(fleet: Fleet) -> None:
    gate = fleet.new_gate()
    fleet.web()
    fleet.clock()
    fleet.worker()
    process_id = fleet.start("write_ledger", {"gate": gate.name})
    (victim,) = gate.wait_for_visits(1)
    os.kill(victim, signal.SIGKILL)
    assert gate.wait_for_visits(2)[1] != victim
    gate.open()
    ended = fleet.wait_for(process_id, "completed")
    assert done(ended) == ["start", "enter_and_wait", "step_1", "done"]
    assert row_of(ended, "enter_and_wait")["attempt"] == 2
    assert fleet.rows("SELECT entry FROM ledger") == [{"entry": gate.name}]


def test_what_was_rung_for_outlives_the_broker_without_a_clock(fleet: Fleet, rabbitmq: RabbitServer) -> None:
    fleet.web()
    started = [fleet.start("ten_steps") for _ in range(20)]
    # RabbitMQ 3.10 loses a quorum queue that was made less than a second before it is killed.
    time.sleep(3)
    rabbitmq.stop(signal.SIGKILL)
    rabbitmq.begin()
    rabbitmq.wait_until_ready()
    fleet.worker()
    wait_until(lambda: fleet.count("completed") == len(started), lambda: str(fleet.count("completed")))


def test_a_broker_started_again_under_load_loses_and_repeats_nothing(fleet: Fleet, rabbitmq: RabbitServer) -> None:
    fleet.web()
    fleet.clock()
    worker = fleet.worker()
    gates = [fleet.new_gate(), fleet.new_gate()]
    started = [fleet.start("write_ledger", {"gate": gate.name}) for gate in gates]
    for gate in gates:
        gate.wait_for_visits(1)
    started += [fleet.start("ten_steps") for _ in range(20)]
    rabbitmq.stop()
    for gate in gates:
        gate.open()
    rabbitmq.begin()
    rabbitmq.wait_until_ready()
    wait_until(lambda: fleet.count("completed") == len(started), lambda: worker.said()[-4_000:])
    counted = fleet.rows(
        "SELECT count(*) AS rows, count(DISTINCT (process_seq, position)) AS steps, max(attempt) AS attempts "
        "FROM process_steps"
    )
    steps = 2 * 4 + 20 * len(STEPS)
    assert counted == [{"rows": steps, "steps": steps, "attempts": 1}]
    assert [len(gate.visits()) for gate in gates] == [1, 1]
    assert worker.process.poll() is None


def test_what_was_lost_is_rung_for_within_seconds_and_what_waits_is_not_rung_for_twice(
    fleet: Fleet, rabbitmq: RabbitServer
) -> None:
    fleet.web()
    started = [fleet.start("ten_steps") for _ in range(50)]
    assert waiting(rabbitmq) == len(started)
    fleet.clock().wait_until_it_said("this clock leads")
    time.sleep(10)
    assert waiting(rabbitmq) == len(started), "the clock rang for who had their bells"
    rabbitmq.control("purge_queue", "--vhost", rabbitmq.vhost, "tasks")
    purged = time.monotonic()
    wait_until(lambda: waiting(rabbitmq) == len(started), lambda: str(waiting(rabbitmq)), 15)
    log.info("rung for again %.1f s after the queue was purged", time.monotonic() - purged)
    time.sleep(5)
    assert waiting(rabbitmq) == len(started)
    fleet.worker()
    wait_until(lambda: fleet.count("completed") == len(started), lambda: str(fleet.count("completed")))


def test_time_limits_of_steps_hold(fleet: Fleet) -> None:
    fleet.web()
    fleet.clock()
    fleet.worker().wait_until_it_said("ready.")
    soft = fleet.wait_for(fleet.start("takes_too_long"), "failed")
    assert "did not end within its time limit of 0.5 seconds" in soft["failed_reason"]
    hard = fleet.wait_for(fleet.start("listens_to_nobody"), "failed")
    assert "given up at the hard limit" in hard["failed_reason"]
    assert fleet.run("ten_steps")["last_status"] == "completed"


def test_a_bell_that_a_busy_worker_holds_back_is_rung_again_for_an_idle_one(fleet: Fleet) -> None:
    fleet.web()
    fleet.clock().wait_until_it_said("this clock leads")
    busy = fleet.worker()
    busy.wait_until_it_said("ready.")
    gates = [fleet.new_gate() for _ in range(2)]
    held = [fleet.start("write_ledger", {"gate": gate.name}) for gate in gates]
    for gate in gates:
        gate.wait_for_visits(1)
    fleet.worker().wait_until_it_said("ready.")
    started = time.monotonic()
    for _ in range(4):
        fleet.run("ten_steps")
    log.info("four processes beside a busy worker in %.1f s", time.monotonic() - started)
    assert fleet.count("completed") == 4
    for gate in gates:
        gate.open()
    for process_id in held:
        fleet.wait_for(process_id, "completed")


def test_a_step_that_outlives_the_patience_of_the_broker_runs_once_and_its_worker_goes_on(
    catalog_database_url: str,
) -> None:
    # Both are half an hour and a minute where nobody sets them.
    impatient = rabbitmq_server(erlang="-rabbit channel_tick_interval 500", consumer_timeout="2000")
    with impatient as rabbitmq, new_fleet(catalog_database_url, rabbitmq) as fleet:
        gate = fleet.new_gate()
        fleet.web()
        fleet.clock()
        worker = fleet.worker()
        process_id = fleet.start("write_ledger", {"gate": gate.name})
        gate.wait_for_visits(1)
        time.sleep(10)
        assert fleet.run("ten_steps")["last_status"] == "completed"
        gate.open()
        ended = fleet.wait_for(process_id, "completed")
        assert done(ended) == ["start", "enter_and_wait", "step_1", "done"]
        assert row_of(ended, "enter_and_wait")["attempt"] == 1
        assert len(gate.visits()) == 1
        assert worker.process.poll() is None
        # Later releases are told by the worker how long they have to wait.
        assert ("delivery acknowledgement" in worker.said()) == (rabbitmq.version() < (3, 12))


def test_a_wrong_password_is_told_by_the_doctor_and_by_a_worker(fleet: Fleet, rabbitmq: RabbitServer) -> None:
    sentence = "RabbitMQ refuses the user or the password in ORCHESTRATOR_BROKER_URL"
    fleet.environment["ORCHESTRATOR_BROKER_URL"] = rabbitmq.url_with(password="hush-hush")
    words = [sys.executable, "-m", "orchestrator", "doctor", "--json"]
    looked = subprocess.run(
        words, cwd=fleet.folder, env=fleet.environment, capture_output=True, text=True, timeout=60, check=False
    )
    findings = {finding["check"]: finding for finding in json.loads(looked.stdout)["checks"]}
    assert looked.returncode == 1
    assert findings["broker"]["says"] == f"{sentence}."
    assert "virtual host" in findings["broker"]["mend"]
    worker = fleet.worker()
    assert worker.process.wait(30) == 1
    assert f"the worker does not start: {sentence}" in worker.said()
    assert "hush-hush" not in looked.stdout + looked.stderr + worker.said()


def test_up_and_flower_work_with_it(rabbitmq: RabbitServer) -> None:
    with running_system(ORCHESTRATOR_BROKER_URL=rabbitmq.url) as system:
        process = system.run("ten_steps")
        tasks = tasks_of(system, process)
        assert [task["name"] for task in tasks] == [f"ten_steps/{row['key']}" for row in process["steps"]]
        assert {task["state"] for task in tasks} == {"SUCCESS"}
        look_at_pages(system)
