"""The steps that the engine knows: store, take, give back, set the status."""

from __future__ import annotations

import threading
from contextlib import suppress
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from orchestrator.domain.subscriptions import change_lifecycle
from orchestrator.errors import (
    MissingSubscriptionError,
    SubscriptionHeldError,
    SubscriptionNotFoundError,
    ValuesDoNotFitError,
)
from orchestrator.language.actions import Resync, SetStatus, StoreProcessSubscription, Unsync
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.tables import (
    ProcessSubscriptionTable,
    SubscriptionChangeTable,
    SubscriptionTable,
)
from tests.integration.domain.models import MODELS, Port, PortInactive

TAKE = Unsync(checked=True)
TAKE_UNCHECKED = Unsync(checked=False)


@pytest.fixture
def row(unit, port):
    def read() -> SubscriptionTable:
        with unit() as session:
            return session.get_one(SubscriptionTable, port.subscription_id)

    return read


@pytest.fixture
def state(port) -> dict:
    return {"subscription_id": str(port.subscription_id)}


@pytest.fixture
def port(unit, products, register) -> Port:
    register(MODELS)
    with unit():
        port = PortInactive.from_product_id(products["Port"], "customer", insync=True)
        port.port.port_name = "ge-0/0/1"
        port = change_lifecycle(port, "active")
        port.save()
    return port


def test_a_subscription_is_taken_and_given_back(step, new_process, state, row) -> None:
    process = new_process()
    delta = step(process, TAKE, state)
    assert delta["subscription"]["port"]["port_name"] == "ge-0/0/1"
    assert delta["subscription"]["insync"] is False
    assert delta["subscription"]["version"] == 2
    assert (row().insync, row().held_by, row().version) == (False, process.process_id, 2)

    returned = step(process, Resync(), {**state, **delta})
    assert returned["subscription"]["insync"] is True
    assert (row().insync, row().held_by, row().version) == (True, None, 3)
    assert step(process, Resync(), state) == {}
    assert row().version == 3


def test_the_second_of_two_processes_is_told_who_holds_the_subscription(step, new_process, state, row) -> None:
    first, second = new_process(), new_process()
    step(first, TAKE, state)
    with pytest.raises(SubscriptionHeldError, match=rf"process {first.process_id} \(modify_\w+, running\) holds it"):
        step(second, TAKE, state)
    # The first may take it again: its step is run once more after a failure.
    assert step(first, TAKE, state)["subscription"]["version"] == 2
    assert row().held_by == first.process_id


def test_of_two_processes_at_the_same_moment_exactly_one_wins(step, new_process, state, row) -> None:
    for _ in range(5):
        processes = [new_process() for _ in range(4)]
        barrier = threading.Barrier(len(processes))
        winners = []

        def race(process, barrier=barrier, winners=winners) -> None:
            barrier.wait()
            with suppress(SubscriptionHeldError):
                step(process, TAKE, state)
                winners.append(process)

        threads = [threading.Thread(target=race, args=(process,)) for process in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [winner] = winners
        assert row().held_by == winner.process_id
        step(winner, Resync(), state)


def test_out_of_sync_and_held_by_nobody_is_said_so(step, new_process, unit, state) -> None:
    with unit() as session:
        session.execute(text("UPDATE subscriptions SET insync = false"))
    with pytest.raises(SubscriptionHeldError, match="no process holds it: set it in sync first"):
        step(new_process(), TAKE, state)


def test_an_unchecked_take_does_not_steal_from_a_process_under_way(step, new_process, state, row) -> None:
    holder, checker = new_process(), new_process("VALIDATE")
    step(holder, TAKE, state)
    assert step(checker, TAKE_UNCHECKED, state)["subscription"]["insync"] is False
    assert row().held_by == holder.process_id
    step(checker, Resync(), state)
    assert (row().insync, row().held_by) == (False, holder.process_id)
    step(holder, Resync(), state)
    assert row().insync


@pytest.mark.parametrize("ended", ["aborted", "completed"])
def test_what_an_ended_process_left_behind_is_taken_over_unchecked(step, new_process, state, row, unit, ended) -> None:
    holder, checker = new_process(), new_process("RECONCILE")
    step(holder, TAKE, state)
    with unit() as session:
        session.execute(text("UPDATE processes SET status = :s WHERE seq = :q"), {"s": ended, "q": holder.process_seq})
    step(checker, TAKE_UNCHECKED, state)
    assert row().held_by == checker.process_id
    step(checker, Resync(), state)
    assert row().insync


def test_values_that_do_not_fit_are_taken_unchecked_with_the_scalar_values(step, new_process, state, unit) -> None:
    with unit() as session:
        session.execute(text("UPDATE subscription_instances SET values = '{}'"))
    delta = step(new_process("VALIDATE"), TAKE_UNCHECKED, state)
    assert delta["subscription"]["subscription_id"] == state["subscription_id"]
    assert delta["subscription"]["status"] == "active"
    assert "port" not in delta["subscription"]


def test_what_the_subscription_was_is_kept_from_the_first_time(step, new_process, state, unit) -> None:
    process = new_process()
    assert step(process, StoreProcessSubscription(), state) == {}
    step(process, TAKE, state)
    with unit() as session:
        loaded = Port.from_subscription(state["subscription_id"])
        loaded.description = "changed"
        loaded.save()
    step(process, StoreProcessSubscription(), state)
    with unit() as session:
        [link] = session.scalars(select(ProcessSubscriptionTable))
        assert (link.process_seq, str(link.subscription_id)) == (process.process_seq, state["subscription_id"])
        assert (link.before["insync"], link.before["version"]) == (True, 1)
        assert link.before["port"]["port_name"] == "ge-0/0/1"
        assert link.before["description"] == "Initial subscription of Port"


def test_taking_alone_keeps_what_the_subscription_was(step, new_process, state, unit) -> None:
    process = new_process()
    step(process, TAKE, state)
    step(process, TAKE, state)
    with unit() as session:
        [link] = session.scalars(select(ProcessSubscriptionTable))
        assert (link.before["insync"], link.before["version"]) == (True, 1)


def test_nothing_was_there_before_a_create(step, new_process, state, unit) -> None:
    named = {"subscription": {"subscription_id": state["subscription_id"]}}
    process = new_process("CREATE")
    assert step(process, StoreProcessSubscription(), named) == state
    with unit() as session:
        [link] = session.scalars(select(ProcessSubscriptionTable))
        assert link.before is None
        history = session.scalars(select(SubscriptionChangeTable).where(SubscriptionChangeTable.path == "insync")).all()
        assert [(change.before, change.after) for change in history] == [(None, True)]


def test_the_status_is_set_once(step, new_process, state, row, statements) -> None:
    process = new_process()
    delta = step(process, SetStatus(SubscriptionLifecycle.TERMINATED), state)
    assert delta["subscription"]["status"] == "terminated"
    assert delta["subscription"]["end_date"] is not None
    assert (row().status, row().version) == ("terminated", 2)
    statements.clear()
    assert step(process, SetStatus(SubscriptionLifecycle.TERMINATED), state) == {}
    assert len(statements) == 1
    assert row().version == 2


def test_a_status_that_lacks_values_is_refused(step, new_process, unit, products, port) -> None:
    with unit():
        empty = PortInactive.from_product_id(products["Port"], "customer")
        empty.save()
    with pytest.raises(ValuesDoNotFitError, match=r"port\.port_name"):
        step(new_process(), SetStatus(SubscriptionLifecycle.ACTIVE), {"subscription_id": empty.subscription_id})


@pytest.mark.parametrize(
    "action", [TAKE, TAKE_UNCHECKED, Resync(), SetStatus(SubscriptionLifecycle.ACTIVE), StoreProcessSubscription()]
)
def test_a_subscription_that_is_not_there_is_named(step, new_process, action) -> None:
    with pytest.raises(MissingSubscriptionError):
        step(new_process("CREATE"), action, {})
    unknown = uuid4()
    with pytest.raises(SubscriptionNotFoundError, match=str(unknown)):
        step(new_process("CREATE"), action, {"subscription": {"subscription_id": str(unknown)}})
