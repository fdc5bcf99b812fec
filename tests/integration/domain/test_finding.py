"""What forms find to choose from, and locks for checks that must hold."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest

from orchestrator.domain.finding import find_products, find_subscriptions, lock_subscriptions
from orchestrator.domain.subscriptions import change_lifecycle
from orchestrator.errors import InvalidInputError, SubscriptionNotFoundError
from orchestrator.storage.tables import ProductTable
from tests.integration.domain.models import MODELS, Port, PortInactive, new_circuit


@pytest.fixture(autouse=True)
def registered(register) -> None:
    register(MODELS)


def test_active_subscriptions_in_sync_are_found_unless_others_are_asked_for(unit, products, port) -> None:
    with unit():
        planned = PortInactive.from_product_id(products["Port"], "another customer")
        planned.save()
        new_circuit(products).save()
    with unit():
        assert [found.subscription_id for found in find_subscriptions("Port")] == [port.subscription_id]
        anything = find_subscriptions("Port", statuses=["initial", "active"], insync=None)
        assert [found.subscription_id for found in anything] == [port.subscription_id, planned.subscription_id]
        assert find_subscriptions("Port", statuses=["initial"]) == []
        assert find_subscriptions("Port", customer_id="another customer") == []
        assert find_subscriptions("Port", statuses=["initial", "active"], insync=None, most=1) == anything[:1]


def test_active_products_are_found_with_their_fixed_inputs(unit, products) -> None:
    with unit() as session:
        (found,) = find_products("Port")
        assert found.product_id == products["Port"]
        assert found.fixed_inputs == {"speed": "1000", "speed_class": "1000", "domain": "SURF"}
        session.get_one(ProductTable, products["Port"]).status = "end of life"
        session.flush()
        assert find_products("Port") == []


def test_who_locks_first_is_seen_by_who_waited(unit, port, wait_for_a_waiter) -> None:
    """Two steps look whether a VLAN is free and take it; the second waits at the lock and sees it taken."""
    won, locked = [], threading.Event()

    def take(name: str, hurry: bool) -> None:
        with unit():
            if not hurry:
                assert locked.wait(10)
            lock_subscriptions([port.subscription_id])
            if hurry:
                locked.set()
                wait_for_a_waiter()
            loaded = Port.from_subscription(port.subscription_id)
            if 100 not in loaded.port.vlans:
                won.append(name)
                loaded.port.vlans = [*loaded.port.vlans, 100]
                loaded.save()

    threads = [threading.Thread(target=take, args=arguments) for arguments in (("first", True), ("second", False))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert won == ["first"]


def test_what_cannot_be_locked_is_named(unit, port) -> None:
    missing = uuid4()
    with unit():
        with pytest.raises(SubscriptionNotFoundError, match=f"There is no subscription {missing}"):
            lock_subscriptions([port.subscription_id, missing])
        with pytest.raises(InvalidInputError, match="'x' is not the id of a subscription"):
            lock_subscriptions(["x"])
        lock_subscriptions([])
        assert change_lifecycle(Port.from_subscription(port.subscription_id), "active").status == "active"
