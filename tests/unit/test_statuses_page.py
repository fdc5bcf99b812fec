"""docs/statuses.md is true: its table and its diagram have the transitions of the state machine, and no others; its
time-outs are those of the code."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orchestrator.engine
import orchestrator.tasks
from orchestrator.errors import ImpossibleTransitionError
from orchestrator.language.outcomes import (
    Aborted,
    AwaitsCallback,
    Done,
    Failed,
    NeedsInput,
    Outcome,
    RetryLater,
    Skipped,
    StepError,
    WaitsForChildren,
    WaitUntil,
)
from orchestrator.language.transitions import (
    FAILED,
    ProcessValue,
    Transition,
    after_abort,
    after_callback,
    after_children,
    after_claim,
    after_input,
    after_migrate,
    after_outcome,
    after_rerun,
    after_resume,
    after_skip,
    after_time_limit,
)
from orchestrator.language.vocabulary import ProcessStatus
from orchestrator.settings import Settings
from orchestrator.storage.tables import ProcessTable

PAGE = Path(__file__).parents[2] / "docs" / "statuses.md"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ERROR = StepError("ValueError", "no")
START = "[*]"

Edge = tuple[str, str, str]

# Each status with what it may wait for; a timer comes due where there is a moment.
BEGINNINGS = [
    *(ProcessValue(status, 1, 3) for status in ProcessStatus),
    ProcessValue(ProcessStatus.WAITING, 1, 3, "retry", NOW),
    ProcessValue(ProcessStatus.WAITING, 1, 3, "time", NOW),
    ProcessValue(ProcessStatus.WAITING, 1, 3, "children"),
]

OUTCOMES: dict[str, list[Outcome]] = {
    "step done or skipped": [Done(), Skipped()],
    "input step": [NeedsInput()],
    "callback step": [AwaitsCallback(60)],
    "retry": [RetryLater(ERROR, 60)],
    "sleep": [WaitUntil(NOW + timedelta(hours=1))],
    "children step": [WaitsForChildren()],
    "failure": [Failed(ERROR, status) for status in FAILED],
    "abort step": [Aborted()],
}


def timer(process: ProcessValue) -> ProcessValue:
    """What the clock does with a process whose moment has come."""
    if process.status is not ProcessStatus.WAITING or process.due_at is None:
        raise ImpossibleTransitionError
    return after_resume(process)


ACTS: dict[str, Callable[[ProcessValue], ProcessValue | Transition]] = {
    "claim": after_claim,
    "input": after_input,
    "callback": after_callback,
    "timer": timer,
    "children": after_children,
    "time limit": lambda process: after_time_limit(process, "late"),
    "resume": after_resume,
    "skip": after_skip,
    "rerun": lambda process: after_rerun(process, 0),
    "migrate": lambda process: after_migrate(process, 0, 2),
    "abort": after_abort,
}


def edges() -> Iterator[Edge]:
    """Every transition of the state machine: from a status, by something, to a status."""
    new = str(ProcessTable.__table__.c.status.server_default.arg)  # type: ignore[union-attr]
    yield START, "start", new
    acts = [
        *ACTS.items(),
        *(
            (name, lambda process, outcome=outcome: after_outcome(process, outcome, NOW))
            for name, outcomes in OUTCOMES.items()
            for outcome in outcomes
        ),
    ]
    for beginning in BEGINNINGS:
        for process in (beginning, replace(beginning, position=beginning.steps - 1)):
            for name, act in acts:
                try:
                    after = act(process)
                except ImpossibleTransitionError:
                    continue
                value = after.process if isinstance(after, Transition) else after
                yield process.status.value, name, value.status.value


def shown_in_table() -> set[Edge]:
    found = set()
    for cells in rows("<!-- transitions"):
        for before in re.findall(r"`(\S+)`", cells[1]) or [START]:
            for after in re.findall(r"`(\S+)`", cells[2]):
                found.add((before, cells[0], after))
    return found


def shown_in_diagram() -> set[Edge]:
    text = PAGE.read_text()
    diagram = text[text.index("stateDiagram-v2") : text.index("```", text.index("stateDiagram-v2"))]
    found = set()
    for line in diagram.splitlines()[1:]:
        match = re.fullmatch(r"\s+(\S+) --> (\w+): (.+)", line)
        if match is None:
            assert not line.strip() or re.fullmatch(r"\s+(completed|aborted) --> \[\*\]", line), line
            continue
        found |= {(match[1], name.strip(), match[2]) for name in match[3].split(",")}
    return found


def rows(mark: str) -> list[list[str]]:
    lines = PAGE.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(mark))
    first = next(number for number in range(start, len(lines)) if lines[number].startswith("|"))
    found = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_table_has_every_transition_of_the_state_machine() -> None:
    assert sorted(shown_in_table()) == sorted(set(edges()))


def test_the_diagram_has_every_transition_of_the_state_machine() -> None:
    assert sorted(shown_in_diagram()) == sorted(set(edges()))


def test_every_kind_of_outcome_has_its_name() -> None:
    named = {type(outcome) for outcomes in OUTCOMES.values() for outcome in outcomes}
    assert named == set(Outcome.__args__)


def test_every_status_is_reached_and_explained() -> None:
    assert {after for _, _, after in edges()} == {status.value for status in ProcessStatus}
    assert [cells[0].strip("`") for cells in rows("<!-- statuses")] == [status.value for status in ProcessStatus]


def seconds_of(where: str) -> float | None:
    """The seconds that the code has where a row of the page says that it has them; None for not set."""
    if where.startswith("ORCHESTRATOR_"):
        return float(Settings.model_fields[where.removeprefix("ORCHESTRATOR_").lower()].default)
    match = re.fullmatch(r"([\w.]+)\.(\w+)(?:\((\w+)\)|\[(\w+)\])?", where)
    assert match is not None, where
    found = getattr(importlib.import_module(match[1]), match[2])
    if match[3]:
        default = inspect.signature(found).parameters[match[3]].default
        return None if default is None else float(default)
    if match[4]:
        return float(found[match[4]])
    return float(found)


def is_in_text(where: str, seconds: float) -> bool:
    """Whether a statement or an option of a connection has these seconds in it."""
    module, _, name = where.rpartition(".")
    text = getattr(importlib.import_module(module), name)
    milliseconds = f"{seconds * 1000:g}"
    words = (f"'{seconds:g} seconds'", f"'{milliseconds} milliseconds'", f"'{milliseconds}ms'", f"={milliseconds}ms ")
    return any(word in text for word in words)


def test_every_timeout_is_that_of_the_code() -> None:
    for _, shown, cell in rows("<!-- timeouts"):
        where = cell.strip("`")
        wanted = None if shown == "not set" else float(shown.removesuffix(" s"))
        if where.rpartition(".")[2] in ("CLAIM", "RING_ORPHANS", "HURRY", "_SESSION_OPTIONS"):
            assert wanted is not None
            assert is_in_text(where, wanted), where
        else:
            assert seconds_of(where) == wanted, where


def test_no_timeout_of_the_engine_and_its_messages_is_left_out() -> None:
    shown = {cells[2].strip("`") for cells in rows("<!-- timeouts")}
    for package in (orchestrator.engine, orchestrator.tasks):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            names = {name for name in vars(importlib.import_module(module.name)) if name.endswith("_SECONDS")}
            assert {f"{module.name}.{name}" for name in names} <= shown
