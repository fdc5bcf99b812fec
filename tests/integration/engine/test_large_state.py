"""A large state costs a step that changes little next to nothing, and is the same as if each step wrote all of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.language.forms import FormGenerator, FormPage
from orchestrator.language.steps import begin, inputstep, step
from orchestrator.language.vocabulary import REMOVED, Actor, State
from orchestrator.language.workflows import task
from orchestrator.services.context import Context
from orchestrator.services.resuming import resume_process
from orchestrator.settings import Settings
from orchestrator.storage.process_reading import find_detail
from orchestrator.storage.tables import ProcessTable
from orchestrator.testing.dispatcher import ListBell
from tests.integration.engine.engine_on_test import LARGE, EngineOnTest
from tests.integration.told_states import TOLD, told_state

STEPS = 40


def changing(number: int, changes: State) -> Any:
    @step(f"Step {number}", key=f"step_{number}")
    def change() -> State:
        return dict(changes)

    return change


def flow_of(*changes: State) -> Any:
    steps = begin
    for number, one in enumerate(changes):
        steps = steps >> changing(number, one)
    return task("Changes much or little")(_named(steps))


def _named(steps: Any) -> Any:
    def changes_much_or_little() -> Any:
        return steps

    return changes_much_or_little


def state_of(engine: EngineOnTest, seq: int) -> State:
    with Session(engine.database.engine) as session:
        process_id = session.execute(select(ProcessTable.process_id).where(ProcessTable.seq == seq)).scalar_one()
        row = find_detail(session, process_id)
    assert row is not None
    if row.state is not None:
        return row.state
    (told,) = engine.query(f"SELECT {TOLD} FROM processes p WHERE seq = %(seq)s", seq=seq)
    return told_state(*told) or {}


def run_but_the_last(engine: EngineOnTest, flow: Any, seq: int) -> None:
    """Run all steps but the one that ends the process."""
    runner = engine.runner()
    for _ in flow.steps[:-1]:
        runner.run(seq)


def stored(engine: EngineOnTest, seq: int) -> tuple[int, int]:
    """Bytes of the state as it is stored, and of what all its versions ever took, as nothing was vacuumed."""
    engine.query("ALTER TABLE processes SET (autovacuum_enabled = false)")
    rows = engine.query(
        "SELECT pg_column_size(p.state), pg_relation_size(c.reltoastrelid) FROM processes p, pg_class c "
        "WHERE p.seq = %(seq)s AND c.oid = 'processes'::regclass",
        seq=seq,
    )
    return rows[0][0], rows[0][1]


def test_steps_that_change_little_do_not_write_a_large_state_anew(engine: EngineOnTest) -> None:
    flow = flow_of(*({"step": number} for number in range(STEPS)))
    seq = engine.start(flow, {"large": LARGE})
    run_but_the_last(engine, flow, seq)

    assert state_of(engine, seq) == {"large": LARGE, "step": STEPS - 1}
    size, ever = stored(engine, seq)
    assert size > 50_000
    assert ever < 2 * size, "the state was written more than once"


def test_what_small_steps_change_goes_into_the_state_when_it_has_become_much(engine: EngineOnTest) -> None:
    flow = flow_of(*({f"key_{number}": "x" * 1_000} for number in range(STEPS)))
    seq = engine.start(flow, {"large": LARGE})
    run_but_the_last(engine, flow, seq)

    assert state_of(engine, seq) == {"large": LARGE} | {f"key_{number}": "x" * 1_000 for number in range(STEPS)}
    (recent,) = engine.query("SELECT pg_column_size(recent) FROM processes WHERE seq = %(seq)s", seq=seq)[0]
    size, ever = stored(engine, seq)
    assert 8 * recent < size
    assert ever < 10 * size


def _some_changes(dice: random.Random) -> State:
    """What makes a state large or small, changes a little of it, or takes something away."""
    match dice.randrange(6):
        case 0:
            return {"large": LARGE[: dice.choice((500, 3_000, 30_000))]}
        case 1:
            return {dice.choice(("large", "a", "b", "c")): REMOVED, "d": dice.randrange(9)}
        case 2:
            return {}
        case 3:
            return {"b": {"nested": [dice.randrange(9), None, 1.5]}, "c": LARGE[: dice.randrange(900)]}
        case _:
            return {dice.choice("abc"): dice.randrange(9)}


@pytest.mark.parametrize("goes_on", [False, True], ids=["step by step", "in bursts"])
@pytest.mark.parametrize("number", range(3))
def test_a_state_that_is_large_now_and_small_then_is_what_the_changes_make_of_it(
    engine: EngineOnTest, number: int, goes_on: bool
) -> None:
    dice = random.Random(number)
    changes = [_some_changes(dice) for _ in range(STEPS)]
    seen: list[State] = []

    def looks(place: int, one: State) -> Any:
        @step(f"Step {place}", key=f"step_{place}")
        def change(state: State) -> State:
            seen.append(dict(state))
            return dict(one)

        return change

    steps = begin
    for place, one in enumerate(changes):
        steps = steps >> looks(place, one)
    seq = engine.start(task("Changes this and that")(_named(steps)), {"large": LARGE[:20_000]})
    runner = engine.runner()
    while engine.process(seq).status != "completed":
        assert list(runner.burst(seq, None, lambda: goes_on))

    expected: State = {"large": LARGE[:20_000]}
    for before, one in zip(seen, changes, strict=True):
        assert before == expected
        expected = {key: value for key, value in {**expected, **one}.items() if value is not REMOVED}
    assert state_of(engine, seq) == expected


def test_a_key_that_was_changed_apart_can_be_removed_and_set_again(engine: EngineOnTest) -> None:
    flow = flow_of({"small": 1}, {"small": 2, "other": [1]}, {"small": REMOVED}, {"other": REMOVED}, {"small": 3})
    seq = engine.start(flow, {"large": LARGE, "other": 0})
    runner = engine.runner()
    seen = []
    while (report := runner.run(seq)) is not None and report.ring is not None:
        state = state_of(engine, seq)
        assert state.pop("large") == LARGE
        seen.append(state)

    # The step before the first only begins.
    assert seen[-5:] == [{"small": 1, "other": 0}, {"small": 2, "other": [1]}, {"other": [1]}, {}, {"small": 3}]


def test_an_answer_is_added_to_what_is_kept_apart(engine: EngineOnTest) -> None:
    class NumberPage(FormPage):
        number: int

    @inputstep("Ask", assignee="NOC")
    def ask() -> FormGenerator:
        page = yield NumberPage
        return page.model_dump()

    steps = begin >> changing(1, {"small": 1, "number": 0}) >> ask >> changing(2, {"more": 2}) >> changing(3, {})
    seq = engine.start(task("Asks in between")(_named(steps)), {"large": LARGE})
    engine.run(seq)
    context = Context(engine.database, engine.catalog, ListBell(), Settings())
    resume_process(context, Actor("somebody"), engine.process(seq).process_id, [{"number": 5}])
    runner = engine.runner()
    assert [runner.run(seq) is not None for _ in range(2)] == [True, True]
    assert state_of(engine, seq) == {"large": LARGE, "small": 1, "number": 5, "more": 2}
