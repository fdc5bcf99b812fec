"""Blocks in blocks: order, identity, owners, cycles."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from pydantic import ValidationError

from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
from orchestrator.errors import (
    BlockCycleError,
    BlockInUseError,
    BlockOwnershipError,
    UnsafeTransitionError,
    ValuesDoNotFitError,
)
from orchestrator.storage.tables import SubscriptionInstanceRelationTable, SubscriptionInstanceTable
from tests.integration.domain.models import (
    MODELS,
    Circuit,
    EndpointBlock,
    LoopbackBlock,
    Port,
    PortBlock,
    PortBlockInactive,
    new_circuit,
)


@pytest.fixture(autouse=True)
def registered(register) -> None:
    register(MODELS)


def test_a_new_subscription_has_the_blocks_that_it_must_have(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        assert len(circuit.circuit.endpoints) == 2
        assert circuit.backup is None
        assert circuit.extras == []
        assert circuit.circuit.endpoints[0].owner_subscription_id == circuit.subscription_id
        assert circuit.description == "Initial subscription of Circuit"


def test_lists_keep_their_order_and_blocks_their_labels(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.circuit.endpoints = [
            EndpointBlock.new(circuit.subscription_id, vlan=vlan, label=f"end {vlan}") for vlan in (30, 4, 200, 1)
        ]
        circuit.extras = [LoopbackBlock.new(circuit.subscription_id, label=label) for label in "zay"]
        circuit.save()
    with unit():
        loaded = Circuit.from_subscription(circuit.subscription_id)
        assert [endpoint.vlan for endpoint in loaded.circuit.endpoints] == [30, 4, 200, 1]
        assert [endpoint.label for endpoint in loaded.circuit.endpoints] == ["end 30", "end 4", "end 200", "end 1"]
        assert [extra.label for extra in loaded.extras] == ["z", "a", "y"]
        loaded.circuit.endpoints.reverse()
        loaded.extras.sort(key=lambda extra: extra.label or "")
        loaded.save()
    with unit():
        again = Circuit.from_subscription(circuit.subscription_id)
        assert [endpoint.vlan for endpoint in again.circuit.endpoints] == [1, 200, 4, 30]
        assert [extra.label for extra in again.extras] == ["a", "y", "z"]
        assert again == loaded


def test_a_diamond_is_one_object(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        shared = LoopbackBlock.new(circuit.subscription_id, address="10.0.0.1")
        for endpoint in circuit.circuit.endpoints:
            endpoint.shared = shared
        circuit.save()
    with unit() as session:
        loaded = Circuit.from_subscription(circuit.subscription_id)
        one, two = loaded.circuit.endpoints
        assert one.shared is two.shared
        assert one.shared.address == IPv4Address("10.0.0.1")
        assert session.query(SubscriptionInstanceTable).count() == 4
        converted = SubscriptionModel.from_other_lifecycle(loaded, "active")
        assert converted.circuit.endpoints[0].shared is converted.circuit.endpoints[1].shared
        two.shared = None
        loaded.save()
        one.shared = None
        loaded.save()
        assert session.query(SubscriptionInstanceTable).count() == 3


def test_two_copies_of_one_block_with_other_values_are_refused(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        shared = LoopbackBlock.new(circuit.subscription_id)
        circuit.circuit.endpoints[0].shared = shared
        circuit.circuit.endpoints[1].shared = shared.model_copy(update={"label": "other"})
        with pytest.raises(BlockOwnershipError, match="another copy"):
            circuit.save()


def test_a_cycle_is_refused_with_its_path(unit, products) -> None:
    with unit() as session:
        circuit = new_circuit(products)
        one, two = circuit.circuit.endpoints
        one.next_one = EndpointBlock.new(circuit.subscription_id, next_one=two)
        circuit.save()
        two.next_one = one
        with pytest.raises(BlockCycleError, match=r"endpoints\[0\].*endpoints\[0\]\.next_one\.next_one\.next_one"):
            circuit.save()
        # Written behind the models' back, it is still found when it is loaded.
        session.add(
            SubscriptionInstanceRelationTable(
                in_use_by_id=two.subscription_instance_id,
                domain_model_attr="next_one",
                order_id=0,
                depends_on_id=one.subscription_instance_id,
            )
        )
        with pytest.raises(BlockCycleError, match=r"circuit\.endpoints\[0\]\.next_one\.next_one\.next_one"):
            Circuit.from_subscription(circuit.subscription_id)


def test_a_cycle_through_another_subscription_is_refused(unit, products) -> None:
    with unit():
        first, second = new_circuit(products), new_circuit(products)
        first.save()
        second.circuit.endpoints[0].next_one = first.circuit.endpoints[0]
        second.save()
        seen_before = Circuit.from_subscription(first.subscription_id)
        end = EndpointBlock.from_db(second.circuit.endpoints[0].subscription_instance_id)
        end.next_one = None
        seen_before.circuit.endpoints[0].next_one = end
        with pytest.raises(BlockCycleError, match="next_one"):
            seen_before.save()


def test_blocks_of_other_subscriptions_are_linked_and_not_written(unit, products, port) -> None:
    with unit() as session:
        circuit = new_circuit(products)
        circuit.circuit.endpoints[0].port = port.port
        circuit.circuit.endpoints[1].port = LoopbackBlock.new(circuit.subscription_id)
        circuit.save()
        count = session.query(SubscriptionInstanceTable).count()
        assert count == 5
    with unit():
        loaded = Circuit.from_subscription(circuit.subscription_id)
        one, two = (endpoint.port for endpoint in loaded.circuit.endpoints)
        assert type(one) is PortBlock
        assert one.owner_subscription_id == port.subscription_id
        assert type(two) is LoopbackBlock
        one.port_name = "not written"
        loaded.save()
        assert loaded.version == 1
        uses = Port.from_subscription(port.subscription_id).port.in_use_by
        assert [(use.name, use.attribute, use.subscription_id) for use in uses] == [
            ("Endpoint", "port", circuit.subscription_id)
        ]
        assert [use.name for use in loaded.circuit.depends_on] == ["Endpoint", "Endpoint"]
        assert Port.from_subscription(port.subscription_id).port.port_name == "ge-0/0/1"
    with unit() as session:
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.circuit.endpoints[0].port = None
        loaded.save()
        assert session.query(SubscriptionInstanceTable).count() == count
        assert Port.from_subscription(port.subscription_id).port.in_use_by == ()


def test_a_root_block_of_another_subscription_is_refused(unit, products, port) -> None:
    with unit():
        circuit, other = new_circuit(products), new_circuit(products)
        circuit.circuit = other.circuit
        with pytest.raises(BlockOwnershipError, match="circuit is a block of another subscription"):
            circuit.save()
        other.backup = other.circuit
        with pytest.raises(BlockOwnershipError, match="one and the same"):
            other.save()


def test_the_same_block_twice_in_one_list_is_refused(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.circuit.endpoints.append(circuit.circuit.endpoints[0])
        with pytest.raises(BlockOwnershipError, match=r"circuit\.endpoints has the same block twice"):
            circuit.save()


def test_a_block_that_another_subscription_uses_cannot_be_removed(unit, products) -> None:
    with unit():
        first, second = new_circuit(products), new_circuit(products)
        first.circuit.spare = EndpointBlock.new(first.subscription_id)
        first.save()
        second.circuit.spare = first.circuit.spare
        second.save()
        first.circuit.spare = None
        with pytest.raises(BlockInUseError, match=str(second.subscription_id)):
            first.save()


def test_list_lengths_hold_when_assigned_and_when_changed_in_place(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        with pytest.raises(ValidationError):
            circuit.circuit.endpoints = []
        circuit.circuit.endpoints.pop()
        with pytest.raises(ValuesDoNotFitError, match=r"circuit\.endpoints has 1 blocks, it must have at least 2"):
            circuit.save()
        circuit.circuit.endpoints.append(LoopbackBlock.new(circuit.subscription_id))  # type: ignore[arg-type]
        with pytest.raises(ValuesDoNotFitError, match=r"endpoints\[1\] is a LoopbackBlock, it must be a EndpointBlock"):
            circuit.save()


def test_a_union_is_decided_by_the_name_of_the_block(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        owner = circuit.subscription_id
        circuit.circuit.either = [LoopbackBlock.new(owner), PortBlockInactive.new(owner), LoopbackBlock.new(owner)]
        circuit.save()
    with unit():
        loaded = Circuit.from_subscription(circuit.subscription_id)
        assert [type(block) for block in loaded.circuit.either] == [LoopbackBlock, PortBlockInactive, LoopbackBlock]
        # Values alone are decided by the name, too, although both kinds would take them.
        values = [block.model_dump() for block in loaded.circuit.either]
        loaded.circuit.either = values  # type: ignore[assignment]
        assert [type(block) for block in loaded.circuit.either] == [LoopbackBlock, PortBlockInactive, LoopbackBlock]


def test_a_status_that_users_do_not_allow_is_refused(unit, products, port) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.circuit.endpoints[0].port = port.port
        circuit = change_lifecycle(circuit, "active")
        circuit.save()
        loaded = Port.from_subscription(port.subscription_id)
        with pytest.raises(UnsafeTransitionError, match="Initial subscription of Circuit"):
            change_lifecycle(loaded, "terminated")
        assert change_lifecycle(loaded, "provisioning").status == "provisioning"
        change_lifecycle(circuit, "terminated").save()
        assert change_lifecycle(loaded, "terminated").end_date is not None
