"""The protocol holds in random orders of events, and the model notices when a rule of it is taken away."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestrator.engine import lost_connection
from orchestrator.storage.database import Database
from tests.model import mutations, orders
from tests.model.invariants import Invariants
from tests.model.machine import ProtocolModel
from tests.model.world import World

Patch = Callable[[pytest.MonkeyPatch], None]
Order = Callable[[ProtocolModel], orders.Events]

# Without shrinking, which takes minutes, and without explaining, which traces each line of Python.
RANDOMLY = settings(
    deadline=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)

MUTATIONS = [
    (mutations.no_lock, orders.two_bells_for_one_step, "by two workers at once"),
    (mutations.no_token, orders.late_result, "stands at"),
    (mutations.burst_over_a_pause, orders.paused_in_a_burst, "although it is paused"),
    (mutations.ring_before_commit, orders.bell_heard_before_the_commit, "nobody has rung for it"),
    (mutations.unlock_after_commit, orders.resumed_right_after_the_commit, "nobody has rung for it"),
    (mutations.count_before_lock, orders.last_two_children_at_once, "have ended, and it waits on"),
    (mutations.unpaused_without_a_look, orders.last_child_of_a_paused_parent, "have ended, and it waits on"),
    (mutations.no_sweep, orders.all_bells_lost, "the sweep has forgotten"),
]


@pytest.fixture
def world(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A database with the workflows of the model. A lock that somebody holds is not waited for as long."""
    monkeypatch.setattr(lost_connection, "_LOCK_TRIES", 2)
    made = World(database, database_url)
    yield made
    made.close()


def run_randomly(world: World, orders_of_events: int) -> None:
    """Have so many random orders of events happen; a failure tells the seed that repeats them."""
    chosen, invariants = random.randrange(2**32), Invariants(world)
    machine = seed(chosen)(lambda: ProtocolModel(world, invariants))
    try:
        run_state_machine_as_test(machine, settings=settings(RANDOMLY, max_examples=orders_of_events))
    except BaseException as error:
        error.add_note(f"the seed was {chosen}; {invariants.told()}")
        raise


def test_the_protocol_holds_in_random_orders_of_events(world: World) -> None:
    run_randomly(world, 12)


@pytest.mark.slow
def test_the_protocol_holds_in_many_random_orders_of_events(world: World) -> None:
    run_randomly(world, 150)


@pytest.mark.parametrize(
    "order",
    [*(order for _, order, _ in MUTATIONS), orders.last_child_aborted_behind_an_old_bell],
    ids=lambda order: order.__name__,
)
def test_the_protocol_holds_in_orders_that_hang_on_one_rule(world: World, order: Order) -> None:
    orders.play(ProtocolModel(world, Invariants(world)), order)


@pytest.mark.parametrize(("mutate", "order", "noticed"), MUTATIONS, ids=[mutate.__name__ for mutate, _, _ in MUTATIONS])
def test_the_model_notices_when_a_rule_is_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch, mutate: Patch, order: Order, noticed: str
) -> None:
    mutate(monkeypatch)
    invariants = Invariants(world)
    with pytest.raises(AssertionError):
        orders.play(ProtocolModel(world, invariants), order)
    assert noticed in invariants.noticed[0]
