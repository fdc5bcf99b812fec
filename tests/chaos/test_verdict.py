"""The verdict on a storm, spoken on real tables and a real lab that are as they must be, or are not."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copy
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from orchestrator.storage.database import Database, build_engine, libpq_url
from orchestrator.storage.step_statements import step_lock_key
from product_workflows.lab.server import running_lab
from tests.chaos.chaos_catalog import JOURNAL, STEPS, ten_steps_in_the_storm
from tests.chaos.evidence import gather
from tests.chaos.sight import Sight
from tests.chaos.storm import Strike, read_journal
from tests.chaos.verdict import judge
from tests.conftest import DatabaseServer
from tests.integration.engine.engine_on_test import EngineOnTest

PID = os.getpid()


@dataclass(frozen=True)
class Ended:
    """A process that has run to its end, and what it left."""

    url: str
    lab: httpx.Client
    folder: Path
    process_id: UUID


@dataclass
class Aftermath:
    """What it left, and ways to spoil that, which are undone after the test."""

    ended: Ended
    folder: Path
    sight: Sight
    stack: ExitStack
    planned: int = 1
    answered: dict[int, UUID] = field(default_factory=dict)
    strikes: list[Strike] = field(default_factory=list)

    def verdict(self) -> list[str]:
        return judge(
            gather(self.sight, str(self.ended.lab.base_url), self.folder, self.planned, self.answered, self.strikes)
        )

    def sql(self, statement: str) -> None:
        assert self.sight.rows(f"{statement} RETURNING true")

    def connect(self) -> psycopg.Connection[Any]:
        return self.stack.enter_context(psycopg.connect(self.ended.url, autocommit=True))

    def key_of(self, step: str) -> str:
        return f"{self.ended.process_id}:{step}:1"

    def call_lab(self, step: str, key: str) -> None:
        body = {"number": 0, "step": step, "by": key}
        put = self.ended.lab.put(f"/nso/devices/0-{step}", json=body, headers={"Idempotency-Key": key})
        put.raise_for_status()

    def write_journal(self, *whats: str, step: str = "step_3", pid: int = PID) -> None:
        with (self.folder / JOURNAL).open("a") as journal:
            for what in whats:
                line = {"at": time.time(), "what": what, "pid": pid, "key": self.key_of(step)}
                journal.write(json.dumps(line) + "\n")

    def run_again(self) -> None:
        """As if a step had been run once more, by somebody else: the lab and the journal know of it."""
        self.write_journal("begin", "call", "end", pid=PID + 1)
        self.call_lab("step_3", self.key_of("step_3"))

    def first_began(self) -> float:
        return next(float(line["at"]) for line in read_journal(self.folder) if line["key"] == self.key_of("step_3"))


@pytest.fixture(scope="module")
def ended(
    database_server: DatabaseServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ended]:
    folder = tmp_path_factory.mktemp("ended")
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        lab_url = stack.enter_context(running_lab())
        monkeypatch.setenv("LAB_URL", lab_url)
        monkeypatch.setenv("CHAOS_FOLDER", str(folder))
        name = f"test_{uuid4().hex[:16]}"
        url = database_server.create(name, template_database)
        stack.callback(database_server.drop, name)
        database = Database(build_engine(url, application_name="tests"))
        stack.callback(database.dispose)
        engine = EngineOnTest(database, url)
        stack.callback(engine.close)
        engine.query("CREATE TABLE ledger (number integer NOT NULL, step text NOT NULL)")
        seq = engine.start(ten_steps_in_the_storm, {"number": 0, "seed": 1, "seconds": 0})
        engine.run(seq)
        lab = stack.enter_context(httpx.Client(base_url=lab_url))
        yield Ended(libpq_url(url), lab, folder, engine.process(seq).process_id)


@pytest.fixture
def aftermath(ended: Ended, tmp_path: Path) -> Iterator[Aftermath]:
    copy(ended.folder / JOURNAL, tmp_path)
    sight = Sight(ended.url, autocommit=False)
    ended.lab.post("/lab/reset")
    with ExitStack() as stack:
        stack.callback(sight.close)
        made = Aftermath(ended, tmp_path, sight, stack, answered={0: ended.process_id})
        for number in range(1, STEPS + 1):
            made.call_lab(f"step_{number}", made.key_of(f"step_{number}"))
        yield made


def test_a_run_in_which_all_is_well_has_no_violation(aftermath: Aftermath) -> None:
    assert aftermath.verdict() == []


def _leave_a_transaction_open(aftermath: Aftermath) -> None:
    aftermath.connect().execute("BEGIN")
    time.sleep(1.2)


SPOILED: dict[str, tuple[Callable[[Aftermath], Any], str]] = {
    "a ledger row is lost": (
        lambda left: left.sql("DELETE FROM ledger WHERE step = 'step_6'"),
        "ledger: (0, 'step_6') has 0 rows",
    ),
    "a ledger row is there twice": (
        lambda left: left.sql("INSERT INTO ledger SELECT * FROM ledger WHERE step = 'step_6'"),
        "ledger: (0, 'step_6') has 2 rows",
    ),
    "a ledger row of nobody": (
        lambda left: left.sql("INSERT INTO ledger VALUES (1, 'step_1')"),
        "ledger: (1, 'step_1') should not be there",
    ),
    "a process did not end": (
        lambda left: left.sql("UPDATE processes SET status = 'running', position = 11"),
        "is not at its end as it must be: {'status': 'running', 'position': 11}",
    ),
    "a process failed": (
        lambda left: left.sql("UPDATE processes SET status = 'failed', failed_reason = 'lost'"),
        "{'status': 'failed', 'failed_reason': 'lost'}",
    ),
    "a claim is left": (
        lambda left: left.sql("UPDATE processes SET claim = gen_random_uuid()"),
        "is not at its end as it must be: {'claim': '",
    ),
    "a process is still paused": (lambda left: left.sql("UPDATE processes SET paused = true"), "{'paused': True}"),
    "a step did not count": (
        lambda left: left.sql("UPDATE process_steps SET delta = delta || '{\"counted\": 9}' WHERE key = 'step_10'"),
        "has counted 9 steps",
    ),
    "what is large is lost": (
        lambda left: left.sql("UPDATE process_steps SET delta = delta - 'ballast'"),
        "has lost of what is large",
    ),
    "what was taken away is back": (
        lambda left: left.sql("UPDATE process_steps SET removed = '{}'"),
        "what was taken away",
    ),
    "a process is missing": (lambda left: setattr(left, "planned", 2), "2 processes should be there, not 1"),
    "another id was answered": (lambda left: left.answered.update({0: uuid4()}), "the ids that the API answered"),
    "a step row is lost": (
        lambda left: left.sql("DELETE FROM process_steps WHERE key = 'step_4'"),
        "has the step rows",
    ),
    "a lock is left": (
        lambda left: left.connect().execute("SELECT pg_advisory_lock(%s)", [step_lock_key(1)]),
        "a lock is left",
    ),
    "a transaction is left open": (_leave_a_transaction_open, "a transaction is left open"),
    "the engine is still paused": (
        lambda left: left.sql("UPDATE engine_settings SET paused = true"),
        "the engine is still paused",
    ),
    "an effect is there twice": (lambda left: left.call_lab("step_2", "another key"), "lab: 0-step_2 has 2 effects"),
    "an effect of nobody": (lambda left: left.call_lab("step_99", "another key"), "lab: 0-step_99 should not be there"),
    "an effect is lost": (lambda left: left.ended.lab.post("/lab/reset"), "lab: 0-step_1 has 0 effects"),
    "a call that no step made": (
        lambda left: left.call_lab("step_2", left.key_of("step_2")),
        ":step_2:1 was called 2 times, the steps say 1",
    ),
    "a step ran again": (Aftermath.run_again, ":step_3:1 ran again without a reason"),
    "a step began again": (lambda left: left.write_journal("begin"), ":step_3:1 ran again without a reason"),
    "a step called again": (lambda left: left.write_journal("call"), ":step_3:1 called again without a reason"),
}


@pytest.mark.parametrize(("spoil", "violation"), SPOILED.values(), ids=SPOILED)
def test_whatever_is_not_as_it_must_be_is_a_violation(
    aftermath: Aftermath, spoil: Callable[[Aftermath], Any], violation: str
) -> None:
    spoil(aftermath)
    assert [line for line in aftermath.verdict() if violation in line]


@pytest.mark.parametrize(
    ("pids", "seconds", "explains"),
    [
        (frozenset([PID]), 0.0, True),
        (None, 0.0, True),
        (frozenset([PID + 1]), 0.0, False),
        (frozenset(), 0.0, False),
        (frozenset([PID]), -10.0, False),
        (frozenset([PID]), 10.0, False),
    ],
    ids=["on its process", "on everybody", "elsewhere", "on nobody", "long before", "long after"],
)
def test_a_step_may_run_again_only_when_a_strike_fell_on_it_while_it_ran(
    aftermath: Aftermath, pids: frozenset[int] | None, seconds: float, explains: bool
) -> None:
    aftermath.run_again()
    at = aftermath.first_began() + seconds
    aftermath.strikes.append(Strike("kill_child", at, at, pids, 1, 0.5, 0.5))
    assert (aftermath.verdict() == []) is explains


def test_a_call_may_be_made_again_only_when_the_network_was_cut_between(aftermath: Aftermath) -> None:
    aftermath.write_journal("call")
    aftermath.call_lab("step_3", aftermath.key_of("step_3"))
    at = aftermath.first_began()
    cut = Strike("cut_network", at, at + 8.0, frozenset([PID]), 1, 9.0, 9.0)
    for strikes, violations in (([cut], 0), ([], 1), ([Strike("kill_web", at, at, frozenset(), 1, 1.0, 1.0)], 1)):
        aftermath.strikes[:] = strikes
        assert len(aftermath.verdict()) == violations
