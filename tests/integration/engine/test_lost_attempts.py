"""Which claims that end in nothing count against a step, and which do not."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from celery import Celery
from celery.signals import worker_shutting_down
from sqlalchemy import make_url, text

from orchestrator.engine.claims import claim_step
from orchestrator.engine.sweep import Sweep
from orchestrator.language.catalog import Catalog
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.storage.database import libpq_url
from orchestrator.storage.session import db
from orchestrator.tasks.worker_process import WorkerProcess
from tests.integration.engine.engine_on_test import LIMITS, EngineOnTest
from tests.integration.engine.forked import another_process

Ledger = Callable[[], list[str]]


def single(function: Callable[..., Any]) -> Workflow:
    """A workflow whose only own step is this function."""
    made = step("The step", key="the_step")(function)

    def flow() -> Any:
        return init >> made >> done

    return workflow("A workflow")(flow)


class Server:
    """The server of a test's database, from a connection to another one."""

    def __init__(self, url: str) -> None:
        here = make_url(url)
        self._name = here.database
        admin = here.set(database="postgres").render_as_string(hide_password=False)
        self._connection = psycopg.connect(libpq_url(admin), autocommit=True)

    def admit(self, *, anybody: bool) -> None:
        """Whether the database takes new connections."""
        self._connection.execute("UPDATE pg_database SET datallowconn = %s WHERE datname = %s", (anybody, self._name))

    def end_workers(self) -> None:
        """End all connections of workers."""
        self._connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
            " AND application_name LIKE 'orchestrator worker%%'",
            (self._name,),
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.mark.parametrize(("goes_away", "attempts"), [(True, 0), (False, 1)])
def test_a_step_that_lost_its_connection_is_blamed_only_if_the_server_was_there(
    engine: EngineOnTest, ledger: Ledger, goes_away: bool, attempts: int
) -> None:
    server = Server(engine.url)
    calls: list[int] = []

    def loses_its_connection() -> None:
        calls.append(1)
        db.session.execute(text("INSERT INTO ledger VALUES ('once')"))
        if len(calls) == 1:
            server.admit(anybody=not goes_away)
            server.end_workers()

    seq = engine.start(single(loses_its_connection))
    runner = engine.runner()
    runner.run(seq)
    back = threading.Timer(0.5, server.admit, kwargs={"anybody": True})
    back.start()
    assert runner.run(seq) is None
    back.join()
    server.close()
    process = engine.process(seq)
    assert (process.status, process.attempt, process.claim is None) == ("running", attempts, goes_away)

    sweep, rung, give_up = Sweep(engine.url), list[int](), time.monotonic() + 10
    while not rung and time.monotonic() < give_up:
        rung = [ring.seq for ring in sweep.find(dict)]
    sweep.close()
    assert rung == [seq]
    engine.run(seq, runner)
    assert (engine.process(seq).status, ledger(), len(calls)) == ("completed", ["once"], 2)
    assert engine.steps(seq)[1].attempt == attempts + 1


def test_a_step_that_makes_the_server_go_away_every_time_is_given_up(engine: EngineOnTest, ledger: Ledger) -> None:
    server = Server(engine.url)

    def ends_the_server() -> None:
        db.session.execute(text("INSERT INTO ledger VALUES ('never')"))
        server.admit(anybody=False)
        server.end_workers()

    seq = engine.start(single(ends_the_server))
    runner = engine.runner()
    runner.run(seq)
    engine.change(seq, excused=9)
    attempts = []
    while engine.process(seq).status == "running" and len(attempts) < 9:
        back = threading.Timer(0.3, server.admit, kwargs={"anybody": True})
        back.start()
        runner.run(seq)
        back.join()
        attempts.append(engine.process(seq).attempt)
    server.close()
    process = engine.process(seq)
    assert (process.status, process.excused, attempts, ledger()) == ("failed", 0, [0, 1, 2, 3, 0], [])
    assert "died in this step 3 times" in str(process.failed_reason)


def test_a_claim_that_a_restart_of_the_server_ended_does_not_count(engine: EngineOnTest) -> None:
    seq = engine.start(single(lambda: {"done": True}))
    runner = engine.runner()
    runner.run(seq)
    ((started,),) = engine.query("SELECT pg_postmaster_start_time()")
    engine.change(seq, claim=uuid4(), attempt=3, claimed_at=started - timedelta(seconds=1))
    # Just after a restart nobody takes such a claim, so that workers with a result come back first.
    give_up = time.monotonic() + 15
    while (report := runner.run(seq)) is None and time.monotonic() < give_up:
        time.sleep(0.2)
    assert report is not None
    assert engine.steps(seq)[-1].attempt == 3
    engine.run(seq, runner)
    assert engine.process(seq).status == "completed"


@pytest.mark.parametrize(("excused", "attempt"), [(9, 1), (10, 2)])
def test_so_many_restarts_in_one_step_count(engine: EngineOnTest, excused: int, attempt: int) -> None:
    seq = engine.start(single(lambda: {"done": True}))
    ((started,),) = engine.query("SELECT pg_postmaster_start_time()")
    ended = {"claim": uuid4(), "attempt": 1, "excused": excused, "claimed_at": started - timedelta(seconds=1)}
    engine.change(seq, status="running", **ended)
    give_up = time.monotonic() + 15
    while (claim := claim_step(engine.connection(), seq)) is None and time.monotonic() < give_up:
        time.sleep(0.2)
    assert claim is not None
    assert (claim.attempt, engine.process(seq).excused) == (attempt, excused + 1)


def test_a_worker_that_is_told_to_stop_does_not_count_what_it_may_have_to_cut_short(engine: EngineOnTest) -> None:
    flow = single(lambda: {"done": True})
    mine, other = engine.start(flow), engine.start(flow)
    for seq in (mine, other):
        engine.change(seq, status="running", claim=uuid4(), attempt=2, claimed_by="elsewhere/1:2")

    def stop_twice() -> None:
        with psycopg.connect(libpq_url(engine.url), autocommit=True) as connection:
            worker = f"{socket.gethostname()}/{os.getpid()}:4711"
            connection.execute("UPDATE processes SET claimed_by = %s WHERE seq = %s", (worker, mine))
        WorkerProcess(engine.url, Catalog(), LIMITS).install(Celery("test"), lambda: None)
        for how in ("Warm", "Cold"):
            worker_shutting_down.send(sender="worker", sig="SIGTERM", how=how, exitcode=0)

    with another_process(stop_twice) as main_process:
        main_process.join(30)
    assert main_process.exitcode == 0
    assert [engine.process(seq).attempt for seq in (mine, other)] == [1, 2]
