"""The catalog of the chaos run: one workflow of ten steps that call the lab; six of them write a row.

Those that write are recorded in the transaction of their row, the others by a statement alone; in a burst that claims
the next step, too. Every other process has a state that is large, so that what steps change is kept apart from it.

Nothing in a step tells its second run from its first: the ledger has no unique key, and the lab tells copies apart by
their idempotency key alone. Each attempt leaves its lines in `attempts.jsonl`, outside of the database, so that what
really ran can be compared with what was recorded.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Annotated
from uuid import UUID

import httpx
from pydantic import Field
from sqlalchemy import text

from orchestrator import REMOVED, Catalog, FormGenerator, FormPage, State, Step, StepList, begin, db, step, task

STEPS = 10
WRITE_BEFORE = frozenset({1, 5, 9})
WRITE_AFTER = frozenset({2, 6, 10})
BALLAST = 40_000
JOURNAL = "attempts.jsonl"
_LAB_PATIENCE = 120.0


class NumberPage(FormPage):
    """Which process of the run this is, and how long its steps take, on the whole."""

    number: Annotated[int, Field(ge=0)]
    seed: int
    seconds: Annotated[float, Field(ge=0, le=60)]


def number_form() -> FormGenerator:
    """One page."""
    page = yield NumberPage
    return page.model_dump()


def _note(what: str, key: str) -> None:
    line = {"at": time.time(), "what": what, "pid": os.getpid(), "key": key}
    with (Path(os.environ["CHAOS_FOLDER"]) / JOURNAL).open("a") as journal:
        journal.write(json.dumps(line) + "\n")


def _enter(number: int, key: str) -> None:
    values = {"number": number, "key": key}
    db.session.execute(text("INSERT INTO ledger (number, step) VALUES (:number, :key)"), values)


def _call_lab(number: int, key: str, idempotency_key: str) -> None:
    """As an author does it whose systems cannot always be reached: again and again, with the same key."""
    url = f"{os.environ['LAB_URL']}/nso/devices/{number}-{key}"
    # The key in the body, too: to the lab a device that is put again as it is has not changed.
    body, headers = {"number": number, "step": key, "by": idempotency_key}, {"Idempotency-Key": idempotency_key}
    give_up = time.monotonic() + _LAB_PATIENCE
    while True:
        _note("call", idempotency_key)
        try:
            httpx.put(url, json=body, headers=headers, timeout=5).raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)
        else:
            return


def ballast_of(number: int) -> int:
    """How many letters this process carries along."""
    return 0 if number % 2 else BALLAST


def _changes(number: int, place: int) -> State:
    """What comes and goes in the state: what is large, and a key that is taken away again."""
    match place:
        case 1:
            # In no order, so that they cannot be compressed to nothing.
            return {"ballast": "".join(random.Random(number).choices("abcdefgh", k=ballast_of(number)))}
        case 3:
            return {"passing": True}
        case 7:
            return {"passing": REMOVED}
        case _:
            return {}


def numbered(place: int) -> Step:
    """One of ten. Some write their row before they call the lab and sleep, some afterwards, some have none."""
    key = f"step_{place}"

    @step(f"Step {place}", key=key)
    def write_and_call(
        number: int, seed: int, seconds: float, process_id: UUID, idempotency_key: str, counted: int = 0
    ) -> State:
        _note("begin", idempotency_key)
        if place in WRITE_BEFORE:
            _enter(number, key)
        _call_lab(number, key, idempotency_key)
        time.sleep(seconds * random.Random(f"{seed}/{number}/{place}").uniform(0.3, 1.7))
        if place in WRITE_AFTER:
            _enter(number, key)
        _note("end", idempotency_key)
        return {"counted": counted + 1, **_changes(number, place)}

    return write_and_call


@task("Ten steps in the storm", initial_input_form=number_form)
def ten_steps_in_the_storm() -> StepList:
    """One to ten."""
    steps = begin
    for place in range(1, STEPS + 1):
        steps = steps >> numbered(place)
    return steps


def register(catalog: Catalog) -> None:
    """Add it."""
    catalog.add_workflow(ten_steps_in_the_storm)
