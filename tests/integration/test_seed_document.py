"""The code of the seed document on a real database: migrations, models, and the whole life of a subscription."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from orchestrator import SubscriptionLifecycle, change_lifecycle
from orchestrator.domain.registry import use_products
from orchestrator.migrations.catalog import create, create_workflow, delete_workflow
from orchestrator.storage.database import Database
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.seed import migrations, node_enrollment, outside
from tests.seed.models import NodeEnrollment, NodeEnrollmentInactive, NodeEnrollmentProvisioning
from tests.seed.usage_maps import empty_usage_maps

CATALOG = {
    "resource_types": dict.fromkeys(("esdb_node_id", "esdb_node_uuid", "nso_service_id", "routing_domain"), ""),
    "product_blocks": {
        "Node Enrollment Block": {
            "resource_types": ["esdb_node_id", "esdb_node_uuid", "nso_service_id", "routing_domain"]
        }
    },
    "products": {
        "Node Enrollment": {
            "product_type": "NodeEnrollment",
            "tag": "NodeEnrollment",
            "product_blocks": ["Node Enrollment Block"],
        }
    },
}
PARAMS = (migrations.params_create, migrations.params_validate, migrations.params_modify, migrations.params_terminate)


def provision_params() -> dict[str, str]:
    return {**migrations.params_modify, "name": "provision_node_enrollment"}


@pytest.fixture
def engine(database: Database, database_url: str) -> Iterator[EngineOnTest]:
    """The product and the workflows of the document, and an engine that runs them."""
    with database.engine.begin() as connection:
        create(connection, CATALOG)
        for params in (*PARAMS, provision_params()):
            create_workflow(connection, params)
    made = EngineOnTest(database, database_url)
    made.catalog.add_product("Node Enrollment", NodeEnrollment)
    use_products(made.catalog.products)
    outside.DEVICES["ams-cr6"] = {"name": "ams-cr6"}
    with empty_usage_maps():
        importlib.import_module("tests.seed.usage")
        yield made
    made.close()
    use_products({})
    outside.DEVICES.clear()
    outside.CALLS.clear()


def product_id(engine: EngineOnTest) -> str:
    return str(engine.query("SELECT product_id FROM products")[0][0])


def run(engine: EngineOnTest, workflow: Any, state: dict[str, Any]) -> Any:
    seq = engine.start(workflow, state)
    engine.run(seq)
    return engine.process(seq)


def create_subscription(engine: EngineOnTest) -> str:
    form = node_enrollment.initial_input_form_generator("Node Enrollment")
    second = form.send(next(form)(organisation="university", select_node="ams-cr6"))
    with pytest.raises(StopIteration) as end:
        form.send(second())
    process = run(engine, node_enrollment.create_node_enrollment, {"product": product_id(engine), **end.value.value})
    assert process.status == "completed", process.traceback
    return str(process.state["subscription_id"])


def stored(engine: EngineOnTest) -> tuple[Any, ...]:
    return engine.query("SELECT status, description, insync FROM subscriptions")[0]


def test_the_life_of_a_subscription_as_the_document_tells_it(engine: EngineOnTest) -> None:
    subscription_id = create_subscription(engine)
    assert stored(engine) == ("provisioning", "Node ams-cr6 Provisioned (without system service)", True)
    assert outside.CALLS == ["x", "y", "z"]
    state = {"subscription_id": subscription_id}

    validated = run(engine, node_enrollment.validate_node_enrollment, state)
    assert validated.status == "completed", validated.traceback
    assert validated.is_task
    assert validated.state["check_nso"] == "OK"

    provisioned = run(engine, node_enrollment.provision_node_enrollment, state)
    assert provisioned.status == "completed", provisioned.traceback
    assert stored(engine) == ("active", "Node ams-cr6 Production", True)

    terminated = run(engine, node_enrollment.terminate_node_enrollment, state)
    assert terminated.status == "completed", terminated.traceback
    assert terminated.state["node_name"] == "ams-cr6"
    assert stored(engine) == ("terminated", "Node ams-cr6 Production", True)


def test_terminate_runs_on_a_subscription_that_was_never_active(engine: EngineOnTest) -> None:
    process = run(engine, node_enrollment.terminate_node_enrollment, {"subscription_id": create_subscription(engine)})
    assert process.status == "completed", process.traceback
    assert stored(engine)[0] == "terminated"


def test_a_check_that_fails_says_that_the_data_is_inconsistent(engine: EngineOnTest) -> None:
    subscription_id = create_subscription(engine)
    outside.DEVICES.clear()
    process = run(engine, node_enrollment.validate_node_enrollment, {"subscription_id": subscription_id})

    assert process.status == "inconsistent_data"
    assert process.failed_reason.endswith("Device not found in NSO")


def test_a_new_subscription_is_initial_and_becomes_what_its_lifecycle_asks_for(
    engine: EngineOnTest, database: Database
) -> None:
    with database.transaction("tester"):
        subscription = NodeEnrollmentInactive.from_product_id(
            product_id=product_id(engine), customer_id="university", status=SubscriptionLifecycle.INITIAL
        )
        assert subscription.status is SubscriptionLifecycle.INITIAL
        assert subscription.ne.esdb_node_id is None

        subscription.ne.esdb_node_id = 101
        subscription.ne.esdb_node_uuid = "d7f1"
        subscription.ne.nso_service_id = UUID(int=1)
        subscription.ne.routing_domain = "esnet-293"
        provisioning = change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)
        assert isinstance(provisioning, NodeEnrollmentProvisioning)
        provisioning.save()

        loaded = NodeEnrollment.from_subscription(str(subscription.subscription_id))
        assert loaded.status is SubscriptionLifecycle.PROVISIONING
        assert loaded.ne.nso_service_id == UUID(int=1)


def test_the_migration_parameters_link_every_product_of_the_tag_that_is_like_the_phrase(database: Database) -> None:
    products = {
        name: {**CATALOG["products"]["Node Enrollment"], "tag": tag}
        for name, tag in (
            ("Node Enrollment", "NodeEnrollment"),
            ("Node Enrollment 400G", "NodeEnrollment"),
            ("Old Node Enrollment", "NodeEnrollment"),
            ("Node Enrollment of others", "Other"),
        )
    }
    with database.engine.begin() as connection:
        create(connection, {**CATALOG, "products": products})
        for params in PARAMS:
            create_workflow(connection, params)
        assert links(connection) == {
            (params["name"], params["target"], product)
            for params in PARAMS
            for product in ("Node Enrollment", "Node Enrollment 400G")
        }
        for params in PARAMS:
            delete_workflow(connection, params)
        assert links(connection) == set()


def links(connection: Connection) -> set[tuple[Any, ...]]:
    found = connection.exec_driver_sql(
        "SELECT workflows.name, target, products.name FROM workflows"
        " JOIN products_workflows USING (workflow_id) JOIN products USING (product_id)"
        " WHERE workflows.name <> 'modify_note'"  # which every product has
    )
    return {tuple(row) for row in found}
