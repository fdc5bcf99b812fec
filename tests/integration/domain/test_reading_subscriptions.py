"""What the API, the rules of use and arguments of steps read."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from orchestrator.domain.loading import SubscriptionLoader
from orchestrator.domain.reading import depends_on, find_usage, in_use_by, subscription_detail
from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle, read_tree
from orchestrator.domain.usage import IN_USE_BY_OTHERS, RELATIONS_NOT_IN_SYNC, WorkflowFacts, why_blocked
from orchestrator.errors import AuthoringError, LifecycleError, SubscriptionNotFoundError, WrongProductError
from orchestrator.language.vocabulary import Target
from tests.integration.domain.models import MODELS, Circuit, Port, PortInactive

TERMINATE = WorkflowFacts("terminate_port", Target.TERMINATE)
MODIFY = WorkflowFacts("modify_port", Target.MODIFY)


@pytest.fixture
def pair(unit, products, register) -> tuple[Port, Circuit]:
    """An active port and an active circuit that uses it, both in sync."""
    register(MODELS)
    with unit():
        port = PortInactive.from_product_id(products["Port"], "customer", insync=True)
        port.port.port_name = "ge-0/0/1"
        active = change_lifecycle(port, "active")
        active.save()
        circuit = Circuit.from_product_id(products["Circuit"], "customer", insync=True)
        circuit.circuit.endpoints[0].port = active.port
        circuit = change_lifecycle(circuit, "active")
        circuit.save()
    assert isinstance(active, Port)
    return active, circuit


def test_the_detail_is_the_domain_model(unit, pair) -> None:
    port, circuit = pair
    with unit():
        assert subscription_detail(read_tree(port.subscription_id)) == Port.from_subscription(
            port.subscription_id
        ).model_dump(mode="json")
        detail = subscription_detail(read_tree(str(circuit.subscription_id)))
        assert detail["circuit"]["endpoints"][0]["port"]["title"] == "port ge-0/0/1"
        with pytest.raises(SubscriptionNotFoundError):
            subscription_detail(read_tree(uuid4()))


def test_the_detail_without_a_model_is_what_is_stored(unit, pair, register) -> None:
    port, circuit = pair
    register({})
    with unit():
        detail = subscription_detail(read_tree(port.subscription_id))
        assert detail["product"]["name"] == "Port"
        assert detail["speed"] == "1000"
        assert detail["port"]["port_name"] == "ge-0/0/1"
        assert "held_by" not in detail
        detail = subscription_detail(read_tree(circuit.subscription_id))
        assert len(detail["circuit"]["endpoints"]) == 2
        assert detail["circuit"]["endpoints"][0]["port"]["owner_subscription_id"] == str(port.subscription_id)


def test_the_detail_of_values_that_do_not_fit_is_what_is_stored(unit, pair) -> None:
    port, _ = pair
    with unit() as session:
        session.execute(text("""UPDATE subscription_instances SET values = '{"port_name": 5}'"""))
        assert subscription_detail(read_tree(port.subscription_id))["port"]["port_name"] == 5


def test_relations_are_seen_from_both_ends(unit, pair) -> None:
    port, circuit = pair
    with unit():
        [user] = in_use_by(port.subscription_id)
        assert (user.subscription_id, user.product_name, user.status) == (circuit.subscription_id, "Circuit", "active")
        [used] = depends_on(circuit.subscription_id)
        assert (used.subscription_id, used.product_name, used.insync) == (port.subscription_id, "Port", True)
        assert in_use_by(circuit.subscription_id) == []
        assert depends_on(port.subscription_id) == []


def test_users_that_are_not_terminated_block_terminate_alone(unit, pair) -> None:
    port, circuit = pair
    with unit() as session:
        _, facts = find_usage(port.subscription_id)
        blocked = why_blocked(TERMINATE, facts)
        assert blocked is not None
        assert blocked.reason == IN_USE_BY_OTHERS
        assert blocked.unterminated_in_use_by_subscriptions == (circuit.subscription_id,)
        assert why_blocked(MODIFY, facts) is None
        _, facts = find_usage(circuit.subscription_id)
        assert why_blocked(TERMINATE, facts) is None
        change_lifecycle(circuit, "terminated").save()
        _, facts = find_usage(port.subscription_id)
        assert why_blocked(TERMINATE, facts) is None
        assert find_usage(uuid4()) is None
        session.rollback()


@pytest.mark.parametrize("out_of_sync", [0, 1])
def test_a_relation_out_of_sync_locks_the_other_end(unit, pair, out_of_sync) -> None:
    locked, locking = pair[1 - out_of_sync], pair[out_of_sync]
    with unit() as session:
        session.execute(
            text("UPDATE subscriptions SET insync = false WHERE subscription_id = :id"), {"id": locking.subscription_id}
        )
        row, facts = find_usage(locked.subscription_id)
        assert row.insync
        blocked = why_blocked(MODIFY, facts)
        assert blocked is not None
        assert blocked.reason == RELATIONS_NOT_IN_SYNC
        assert blocked.locked_relations == (locking.subscription_id,)


def test_arguments_are_loaded_as_their_annotation(unit, pair) -> None:
    port, circuit = pair
    load = SubscriptionLoader().load
    with unit():
        assert type(load(Port, port.subscription_id)) is Port
        assert type(load(SubscriptionModel, port.subscription_id)) is Port
        assert type(load(PortInactive | Port, port.subscription_id)) is Port
        assert type(load(Circuit | Port | None, port.subscription_id)) is Port
        assert type(load(Port | Circuit, circuit.subscription_id)) is Circuit
        with pytest.raises(LifecycleError):
            load(PortInactive, port.subscription_id)
        with pytest.raises(WrongProductError, match="none of PortInactive, Port"):
            load(PortInactive | Port, circuit.subscription_id)
        with pytest.raises(AuthoringError):
            load(int, port.subscription_id)


def test_the_detail_where_a_computed_field_fails_is_what_is_stored(unit, pair, monkeypatch) -> None:
    port, _ = pair

    def fail(self: object) -> str:
        raise AttributeError("computed from nothing")

    with unit():
        loaded = Port.from_subscription(port.subscription_id)
        monkeypatch.setattr(type(loaded.port), "title", property(fail))
        detail = subscription_detail(read_tree(port.subscription_id))
        assert detail["port"]["port_name"] == "ge-0/0/1"
        assert "title" not in detail["port"]
