"""Relations between subscriptions that others change at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from orchestrator.domain.subscriptions import change_lifecycle
from orchestrator.errors import (
    BlockCycleError,
    BlockUnavailableError,
    UnsafeTransitionError,
    UnusableSubscriptionError,
)
from orchestrator.language.actions import Unsync
from tests.integration.domain.models import MODELS, Circuit, Port, new_circuit


@pytest.fixture(autouse=True)
def registered(register) -> None:
    register(MODELS)


def together(*actions: Callable[[], None]) -> list[BaseException | None]:
    """Do all of it at the same moment, each in a thread; what each raised."""
    raised: list[BaseException | None] = [None] * len(actions)

    def run(number: int) -> None:
        try:
            actions[number]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            raised[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def new_circuits(unit, products, count: int) -> list[Circuit]:
    with unit():
        made = [new_circuit(products) for _ in range(count)]
        for circuit in made:
            circuit.save()
    return made


def refer(start: Circuit, end: Circuit) -> None:
    """Let the first end of one circuit refer to that of another, and save it."""
    loaded = Circuit.from_subscription(start.subscription_id)
    loaded.circuit.endpoints[0].next_one = Circuit.from_subscription(end.subscription_id).circuit.endpoints[0]
    loaded.save()


def test_a_circle_through_three_subscriptions_is_refused_with_its_path(unit, products) -> None:
    first, second, third = new_circuits(unit, products, 3)
    with unit():
        refer(second, third)
    with unit():
        refer(third, first)
    with unit():
        loaded = Circuit.from_subscription(first.subscription_id)
        other = Circuit.from_subscription(second.subscription_id)
        # Not what was loaded, which has the circle in it: the block alone.
        loaded.circuit.endpoints[0].next_one = other.circuit.endpoints[0].model_copy(update={"next_one": None})
        with pytest.raises(BlockCycleError) as refused:
            loaded.save()
    steps = str(refused.value).partition("would refer to itself: ")[2].split(" -> ")
    owners = (second, third, first)
    assert steps == [f"next_one (Endpoint of subscription {owner.subscription_id})" for owner in owners]


def test_of_two_saves_that_would_close_a_circle_the_second_is_refused(unit, products, wait_for_a_waiter) -> None:
    one, other = new_circuits(unit, products, 2)
    saved = threading.Event()

    def first() -> None:
        with unit():
            refer(one, other)
            saved.set()
            wait_for_a_waiter()

    def second() -> None:
        with unit():
            loaded = Circuit.from_subscription(other.subscription_id)
            loaded.circuit.endpoints[0].next_one = Circuit.from_subscription(one.subscription_id).circuit.endpoints[0]
            assert saved.wait(20)
            loaded.save()

    kept, refused = together(first, second)
    assert kept is None
    assert isinstance(refused, BlockCycleError), refused


@pytest.mark.parametrize("count", [2, 3, 4])
def test_saves_at_the_same_moment_never_close_a_circle(unit, products, database, count: int) -> None:
    for _ in range(4):
        ring = new_circuits(unit, products, count)
        barrier = threading.Barrier(count)

        def link(place: int, ring: list[Circuit] = ring, barrier: threading.Barrier = barrier) -> None:
            with unit():
                loaded = Circuit.from_subscription(ring[place].subscription_id)
                end = Circuit.from_subscription(ring[(place + 1) % count].subscription_id)
                loaded.circuit.endpoints[0].next_one = end.circuit.endpoints[0]
                barrier.wait(20)
                loaded.save()

        raised = together(*[lambda place=place: link(place) for place in range(count)])
        refused = [error for error in raised if error is not None]
        assert 1 <= len(refused) < count
        assert all(isinstance(error, BlockCycleError | OperationalError) for error in refused)
        for circuit in ring:
            with unit():
                Circuit.from_subscription(circuit.subscription_id)


def test_a_block_of_a_subscription_that_has_ended_cannot_be_referred_to(unit, products, port) -> None:
    (circuit,) = new_circuits(unit, products, 1)
    with unit():
        change_lifecycle(Port.from_subscription(port.subscription_id), "terminated").save()
    with unit():
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.circuit.endpoints[0].port = port.port
        with pytest.raises(BlockUnavailableError, match=f"{port.subscription_id} cannot be used: it is terminated"):
            loaded.save()


@pytest.mark.parametrize("status", ["running", "failed", "aborted"])
def test_a_block_that_a_process_is_terminating_cannot_be_referred_to(
    unit, products, port, new_process, step, status: str
) -> None:
    (circuit,) = new_circuits(unit, products, 1)
    process = new_process("TERMINATE", status)
    step(process, Unsync(checked=True), {"subscription_id": str(port.subscription_id)})
    with unit():
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.circuit.endpoints[0].port = port.port
        if status == "aborted":
            loaded.save()
        else:
            with pytest.raises(BlockUnavailableError, match="a process terminates it"):
                loaded.save()
    with unit(process.process_id, process.process_seq):
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.circuit.endpoints[1].port = port.port
        loaded.save()


def test_a_subscription_is_not_terminated_when_another_begins_to_use_it_meanwhile(
    unit, products, port, wait_for_a_waiter
) -> None:
    (circuit,) = new_circuits(unit, products, 1)
    with unit():
        change_lifecycle(Circuit.from_subscription(circuit.subscription_id), "active").save()
    checked, linked = threading.Event(), threading.Event()

    def terminate() -> None:
        with unit():
            ended = change_lifecycle(Port.from_subscription(port.subscription_id), "terminated")
            checked.set()
            assert linked.wait(20)
            ended.save()

    def use() -> None:
        with unit():
            loaded = Circuit.from_subscription(circuit.subscription_id)
            loaded.circuit.endpoints[0].port = port.port
            assert checked.wait(20)
            loaded.save()
            linked.set()
            wait_for_a_waiter()

    refused, kept = together(terminate, use)
    assert kept is None
    assert isinstance(refused, UnsafeTransitionError), refused


def test_the_rules_of_use_are_asked_again_when_the_subscription_is_taken(
    unit, products, port, new_process, step
) -> None:
    process = new_process("TERMINATE")
    with unit() as session:
        link_workflow(session, process, products["Port"])
    (circuit,) = new_circuits(unit, products, 1)
    with unit():
        refer_to_port(circuit, port)
    state = {"subscription_id": str(port.subscription_id)}
    with pytest.raises(UnusableSubscriptionError, match=f"use this one: {circuit.subscription_id}.*in_use_by_others"):
        step(process, Unsync(checked=True), state)
    with unit():
        assert Port.from_subscription(port.subscription_id).insync
    with unit():
        change_lifecycle(Circuit.from_subscription(circuit.subscription_id), "terminated").save()
    step(process, Unsync(checked=True), state)


def test_of_two_related_subscriptions_one_process_may_take_both_but_not_two_processes(
    unit, products, port, new_process, step
) -> None:
    (circuit,) = new_circuits(unit, products, 1)
    processes = [new_process(), new_process()]
    with unit() as session:
        refer_to_port(circuit, port)
        for process in processes:
            link_workflow(session, process, products["Port"], products["Circuit"])
        change_lifecycle(Circuit.from_subscription(circuit.subscription_id), "active").save()
    of_port, of_circuit = ({"subscription_id": str(one.subscription_id)} for one in (port, circuit))
    step(processes[0], Unsync(checked=True), of_port)
    with pytest.raises(UnusableSubscriptionError, match="relations_not_in_sync"):
        step(processes[1], Unsync(checked=True), of_circuit)
    step(processes[0], Unsync(checked=True), of_circuit)


def test_two_processes_that_take_related_subscriptions_at_the_same_moment_do_not_both_get_one(
    unit, products, port, new_process, step
) -> None:
    (circuit,) = new_circuits(unit, products, 1)
    with unit():
        refer_to_port(circuit, port)
        change_lifecycle(Circuit.from_subscription(circuit.subscription_id), "active").save()
    subjects = [{"subscription_id": str(one.subscription_id)} for one in (port, circuit)]
    for _ in range(5):
        processes = [new_process(), new_process()]
        with unit() as session:
            for process in processes:
                link_workflow(session, process, products["Port"], products["Circuit"])
        barrier = threading.Barrier(2)

        def take(place: int, processes=processes, barrier=barrier) -> None:
            barrier.wait(20)
            step(processes[place], Unsync(checked=True), subjects[place])

        raised = together(lambda: take(0), lambda: take(1))
        assert [type(error) for error in raised if error is not None] == [UnusableSubscriptionError]
        with unit() as session:
            session.execute(text("UPDATE subscriptions SET insync = true, held_by = NULL"))


def refer_to_port(circuit: Circuit, port: Port) -> None:
    loaded = Circuit.from_subscription(circuit.subscription_id)
    loaded.circuit.endpoints[0].port = port.port
    loaded.save()


def link_workflow(session, process, *products) -> None:
    """Make the workflow of a process one of these products'."""
    statement = text(
        "INSERT INTO products_workflows (workflow_id, product_id) "
        "SELECT workflow_id, :product_id FROM processes WHERE seq = :seq"
    )
    for product_id in products:
        session.execute(statement, {"seq": process.process_seq, "product_id": product_id})
