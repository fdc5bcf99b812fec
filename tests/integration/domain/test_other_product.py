"""A subscription that becomes one of another product."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.errors import ProductNotFoundError, ProductNotRegisteredError, ValuesDoNotFitError, WrongProductError
from orchestrator.storage.tables import FixedInputTable, ProductTable, SubscriptionChangeTable
from tests.integration.domain.models import MODELS, Circuit, LoopbackBlock, Port, PortBlock, new_circuit


@pytest.fixture
def faster(unit, register) -> UUID:
    """Another product of the model of ports."""
    register({**MODELS, "Port 10G": Port})
    with unit() as session:
        product = ProductTable(name="Port 10G", description="Faster", product_type="Port", tag="Port")
        session.add(product)
        session.flush()
        for name, value in {"speed": "10000", "speed_class": "2", "domain": "ESNET"}.items():
            session.add(FixedInputTable(product_id=product.product_id, name=name, value=value))
        return product.product_id


@pytest.mark.parametrize("model", [Port, SubscriptionModel])
def test_it_keeps_its_blocks_and_their_users_and_takes_the_fixed_inputs_of_the_product(
    unit, products, faster, port, model
) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.circuit.endpoints[0].port = port.port
        circuit.save()
    process_id = uuid4()
    with unit(process_id):
        migrated = model.from_other_product(Port.from_subscription(port.subscription_id), faster)
        migrated.save()
    with unit() as session:
        loaded = Port.from_subscription(port.subscription_id)
        assert loaded == migrated
        assert (loaded.product.name, loaded.speed, loaded.speed_class) == ("Port 10G", 10000, 2)
        assert loaded.port.subscription_instance_id == port.port.subscription_instance_id
        assert loaded.version == port.version + 1
        assert Circuit.from_subscription(circuit.subscription_id).circuit.endpoints[0].port == loaded.port
        (use,) = loaded.port.in_use_by
        assert (use.subscription_id, use.status) == (circuit.subscription_id, "initial")
        assert use.values["vlan"] is None
        changed = session.scalars(select(SubscriptionChangeTable).filter_by(process_id=process_id)).all()
        assert [(row.path, row.before, row.after) for row in changed] == [
            ("product_id", str(products["Port"]), str(faster))
        ]


def test_another_block_can_take_the_place_of_the_root(unit, faster, port) -> None:
    with unit():
        block = PortBlock.new(port.subscription_id, port_name="xe-0/0/1")
        migrated = Port.from_other_product(Port.from_subscription(port.subscription_id), faster, ("port", block))
        migrated.save()
    with unit():
        assert Port.from_subscription(port.subscription_id).port == block


def test_a_product_of_another_model_or_none_is_refused(unit, products, faster, port) -> None:
    with unit():
        loaded = Port.from_subscription(port.subscription_id)
        with pytest.raises(ProductNotFoundError, match="There is no product"):
            Port.from_other_product(loaded, uuid4())
        with pytest.raises(WrongProductError, match="The model of product 'Circuit' is Circuit, not Port"):
            Port.from_other_product(loaded, products["Circuit"])
        with pytest.raises(ProductNotRegisteredError, match="Node Enrollment"):
            SubscriptionModel.from_other_product(loaded, products["Node Enrollment"])
        with pytest.raises(ValuesDoNotFitError, match="circuit: Field required"):
            SubscriptionModel.from_other_product(loaded, products["Circuit"])
        with pytest.raises(ValuesDoNotFitError, match="port"):
            Port.from_other_product(loaded, faster, ("port", LoopbackBlock.new(port.subscription_id)))
