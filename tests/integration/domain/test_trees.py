"""Blocks in blocks: order, identity, owners, cycles; and what a save writes of them."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text, update

from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
from orchestrator.errors import (
    BlockCycleError,
    BlockInUseError,
    BlockNotFoundError,
    BlockOwnershipError,
    InvalidInputError,
    StaleSubscriptionError,
    UnsafeTransitionError,
    ValuesDoNotFitError,
    WrongProductError,
)
from orchestrator.storage.tables import (
    SubscriptionChangeTable,
    SubscriptionInstanceRelationTable,
    SubscriptionInstanceTable,
    SubscriptionTable,
)
from tests.integration.domain.models import (
    MODELS,
    Circuit,
    CircuitBlock,
    Domain,
    EndpointBlock,
    LoopbackBlock,
    Port,
    PortBlock,
    PortBlockInactive,
    PortInactive,
)


@pytest.fixture(autouse=True)
def registered(register) -> None:
    register(MODELS)


@pytest.fixture
def port(unit, products) -> Port:
    """An active port in sync, stored."""
    with unit():
        port = PortInactive.from_product_id(products["Port"], "customer", insync=True)
        port.port.port_name = "ge-0/0/1"
        port = change_lifecycle(port, "active")
        port.save()
    return port


def new_circuit(products) -> Circuit:
    return Circuit.from_product_id(products["Circuit"], "customer", insync=True)


def test_a_new_subscription_has_the_blocks_that_it_must_have(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        assert len(circuit.circuit.endpoints) == 2
        assert circuit.backup is None
        assert circuit.extras == []
        assert circuit.circuit.endpoints[0].owner_subscription_id == circuit.subscription_id
        assert circuit.description == "Initial subscription of Circuit"


def test_fixed_inputs_come_from_the_product_in_their_types(unit, port) -> None:
    with unit():
        loaded = Port.from_subscription(port.subscription_id)
        assert loaded.speed == 1000
        # Known to this variant only, and filled in when the subscription became active.
        assert loaded.speed_class == port.speed_class == 1000
        assert loaded.domain is Domain.SURF
        loaded.domain = Domain.ESNET
        with pytest.raises(InvalidInputError, match="domain is a fixed input of product 'Port'"):
            loaded.save()


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


def test_an_unchanged_save_writes_nothing(unit, products, statements, port) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.circuit.endpoints[0].port = port.port
        circuit.save()
        statements.clear()
        circuit.save()
        assert statements == []
    with unit():
        loaded = Circuit.from_subscription(circuit.subscription_id)
        statements.clear()
        loaded.save()
        SubscriptionModel.from_other_lifecycle(loaded, "initial").save()
        assert statements == []
        assert loaded.version == 1


def test_a_tree_of_a_thousand_blocks_is_one_statement_and_a_change_is_a_constant_number(
    unit, products, statements
) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.circuit.endpoints = [EndpointBlock.new(circuit.subscription_id, vlan=vlan) for vlan in range(1000)]
        statements.clear()
        circuit.save()
        assert len(statements) == 4
    with unit():
        statements.clear()
        loaded = Circuit.from_subscription(circuit.subscription_id)
        assert len(statements) == 1
        assert len(loaded.circuit.endpoints) == 1000
        loaded.circuit.endpoints[500].vlan = 7
        statements.clear()
        loaded.save()
        assert len(statements) == 3
        assert loaded.version == 2
    with unit() as session:
        changed = session.scalars(
            select(SubscriptionChangeTable).where(SubscriptionChangeTable.path == "circuit.endpoints[500].vlan")
        ).all()
        assert [(change.before, change.after) for change in changed] == [(None, 500), (500, 7)]


def test_history_tells_which_process_changed_which_value(unit, products) -> None:
    process_id = uuid4()
    with unit():
        circuit = new_circuit(products)
        circuit.save()
    with unit(process_id=process_id, step_key="rename") as session:
        before = session.scalars(select(SubscriptionChangeTable.change_id)).all()
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.description = "Renamed"
        loaded.circuit.speed = 100
        removed = loaded.circuit.endpoints.pop()
        spare = loaded.circuit.spare = EndpointBlock.new(loaded.subscription_id, vlan=3)
        loaded.circuit.endpoints.append(spare)
        loaded.save()
        rows = session.scalars(
            select(SubscriptionChangeTable).where(SubscriptionChangeTable.change_id.not_in(before))
        ).all()
    first = str(loaded.circuit.endpoints[0].subscription_instance_id)
    added = str(spare.subscription_instance_id)
    assert {row.path: (row.before, row.after) for row in rows} == {
        "description": ("Initial subscription of Circuit", "Renamed"),
        "circuit.speed": (None, 100),
        "circuit.endpoints[1].vlan": (None, 3),
        "circuit.endpoints": ([first, str(removed.subscription_instance_id)], [first, added]),
        "circuit.spare": (None, added),
    }
    assert {(row.process_id, row.step_key, row.changed_by) for row in rows} == {(process_id, "rename", "tester")}


def test_two_who_loaded_the_same_version_do_not_both_save(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.save()
    with unit():
        mine = Circuit.from_subscription(circuit.subscription_id)
    with unit():
        theirs = Circuit.from_subscription(circuit.subscription_id)
        theirs.circuit.speed = 1
        theirs.save()
        assert theirs.version == 2
        theirs.circuit.speed = 2
        theirs.save()
        assert theirs.version == 3
    mine.circuit.speed = 3
    with pytest.raises(StaleSubscriptionError, match=r"version 1 was loaded, but it is at version 3"), unit():
        mine.save()
    with unit():
        assert Circuit.from_subscription(circuit.subscription_id).circuit.speed == 2


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


def test_computed_fields_are_shown_and_not_stored(unit, port) -> None:
    with unit() as session:
        assert port.model_dump(mode="json")["port"]["title"] == "port ge-0/0/1"
        [values] = session.scalars(select(SubscriptionInstanceTable.values))
        assert values == {"port_name": "ge-0/0/1", "vlans": []}


def test_values_that_a_variant_does_not_know_survive_its_save(unit, port) -> None:
    with unit() as session:
        session.execute(
            update(SubscriptionInstanceTable).values(values=text("""values || '{"later": 5}'::jsonb""")),
            execution_options={"synchronize_session": False},
        )
        loaded = Port.from_subscription(port.subscription_id)
        loaded.port.vlans = [3, 1]
        loaded.save()
        [values] = session.scalars(select(SubscriptionInstanceTable.values))
        assert values == {"port_name": "ge-0/0/1", "vlans": [3, 1], "later": 5}


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


def test_a_model_of_another_product_is_refused(unit, products, port) -> None:
    with unit():
        with pytest.raises(WrongProductError, match="'Port' is Port, not Circuit"):
            Circuit.from_subscription(port.subscription_id)
        with pytest.raises(WrongProductError):
            Circuit.from_product_id(products["Port"], "customer")


def test_blocks_are_loaded_alone(unit, products, port) -> None:
    with unit():
        block = PortBlock.from_db(str(port.port.subscription_instance_id))
        assert block == port.port
        with pytest.raises(ValuesDoNotFitError, match="takes a block Loopback, but a block Port is stored"):
            LoopbackBlock.from_db(port.port.subscription_instance_id)
        with pytest.raises(BlockNotFoundError):
            LoopbackBlock.from_db(uuid4())


def test_a_block_unknown_to_the_database_is_named(unit, products) -> None:
    with unit() as session:
        session.execute(text("DELETE FROM product_blocks WHERE name = 'Endpoint'"))
        with pytest.raises(BlockNotFoundError, match="no product block Endpoint: a migration is missing"):
            new_circuit(products).save()


def test_what_is_saved_with_a_hundred_blocks_leaves_only_them(unit, products) -> None:
    with unit() as session:
        circuit = new_circuit(products)
        circuit.backup = CircuitBlock.new(circuit.subscription_id)
        circuit.save()
        circuit.backup = None
        circuit.circuit.endpoints = [EndpointBlock.new(circuit.subscription_id) for _ in range(100)]
        circuit.save()
        rows = session.execute(
            text("SELECT name FROM subscription_instances JOIN product_blocks USING (product_block_id)")
        )
        assert Counter(rows.scalars()) == {"Endpoint": 100, "Circuit": 1}
        assert session.get(SubscriptionTable, circuit.subscription_id).version == 2
