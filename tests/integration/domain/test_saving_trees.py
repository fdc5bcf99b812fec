"""What a save writes of a subscription and its blocks, and what loading them makes of it."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.errors import (
    BlockNotFoundError,
    InvalidInputError,
    StaleSubscriptionError,
    ValuesDoNotFitError,
    WrongProductError,
)
from orchestrator.storage.tables import SubscriptionChangeTable, SubscriptionInstanceTable, SubscriptionTable
from tests.integration.domain.models import (
    MODELS,
    Circuit,
    CircuitBlock,
    Domain,
    EndpointBlock,
    LoopbackBlock,
    Port,
    PortBlock,
    new_circuit,
)


@pytest.fixture(autouse=True)
def registered(register) -> None:
    register(MODELS)


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


def test_history_tells_of_blocks_that_come_and_go(unit, products) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.save()
    moments = {"come": uuid4(), "go": uuid4()}
    with unit(process_id=moments["come"]):
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.extras = [
            LoopbackBlock.new(loaded.subscription_id, label="first"),
            LoopbackBlock.new(loaded.subscription_id),
        ]
        loaded.save()
        ids = [str(extra.subscription_instance_id) for extra in loaded.extras]
    with unit(process_id=moments["go"]):
        loaded = Circuit.from_subscription(circuit.subscription_id)
        loaded.extras = loaded.extras[1:]
        loaded.save()
    with unit() as session:
        rows = session.scalars(
            select(SubscriptionChangeTable)
            .where(SubscriptionChangeTable.process_id.in_(moments.values()))
            .order_by(SubscriptionChangeTable.change_id)
        ).all()
    assert [(row.path, row.before, row.after) for row in rows] == [
        ("extras", [], ids),
        ("extras[0].label", None, "first"),
        ("extras", ids, ids[1:]),
        ("extras[0].label", "first", None),
    ]


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
