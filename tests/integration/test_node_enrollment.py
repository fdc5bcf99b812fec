"""The example product on a real database, against the lab over HTTP, with its faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect

from orchestrator.domain.registry import use_products
from orchestrator.storage.database import Database
from orchestrator.storage.migrating import Migrations
from product_workflows import register
from product_workflows.lab.server import running_lab
from tests.integration.engine.engine_on_test import EngineOnTest

WORKFLOWS = {
    ("create_node_enrollment", "CREATE", False),
    ("provision_node_enrollment", "MODIFY", False),
    ("modify_node_enrollment", "MODIFY", False),
    ("validate_node_enrollment", "SYSTEM", True),
    ("terminate_node_enrollment", "TERMINATE", False),
}
FORM = {
    "organisation": "university",
    "select_node": "ams-cr6",
    "esdb_node_id": 101,
    "url": "https://esdb.example.net/nodes/101",
    "role_id": "1",
}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    with running_lab() as address, httpx.Client(base_url=address, timeout=5) as client:
        monkeypatch.setenv("LAB_URL", address)
        yield client


@pytest.fixture
def engine(database: Database, database_url: str) -> Iterator[EngineOnTest]:
    Migrations(database_url, ["product_workflows"]).upgrade()
    made = EngineOnTest(database, database_url)
    register(made.catalog)
    use_products(made.catalog.products)
    yield made
    made.close()
    use_products({})


def start(engine: EngineOnTest, name: str, **state: Any) -> int:
    seq = engine.start(engine.catalog.workflow(name), state)
    engine.run(seq)
    return seq


def create(engine: EngineOnTest, lab: httpx.Client) -> int:
    product = str(engine.query("SELECT product_id FROM products")[0][0])
    uuid = lab.get("/esdb/nodes/101").json()["uuid"]
    return start(engine, "create_node_enrollment", product=product, uuid=uuid, **FORM)


def resume(engine: EngineOnTest, seq: int) -> Any:
    engine.change(seq, status="resumed")
    engine.run(seq)
    return engine.process(seq)


def subscription_of(engine: EngineOnTest, seq: int) -> str:
    return str(engine.process(seq).state["subscription_id"])


def status(engine: EngineOnTest) -> str:
    return str(engine.query("SELECT status FROM subscriptions")[0][0])


def effects(lab: httpx.Client) -> list[str]:
    return [effect["action"] for effect in lab.get("/lab/effects").json()]


def put_fault(lab: httpx.Client, **fault: Any) -> None:
    assert lab.put("/lab/faults", json=fault).status_code == 200


def test_the_data_revision_goes_up_down_and_up_again(database: Database, database_url: str) -> None:
    migrations = Migrations(database_url, ["product_workflows"])

    def catalog() -> set[tuple[Any, ...]]:
        with database.engine.connect() as connection:
            statement = "SELECT name, target, is_task FROM workflows JOIN products_workflows USING (workflow_id)"
            return {tuple(row) for row in connection.exec_driver_sql(statement)}

    def everything() -> int:
        with database.engine.connect() as connection:
            tables = ("products", "product_blocks", "resource_types", "workflows", "products_workflows")
            return sum(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables)

    tables = inspect(database.engine).get_table_names()
    migrations.upgrade()
    assert catalog() == WORKFLOWS
    migrations.downgrade("data@base")
    assert everything() == 0
    migrations.upgrade()
    assert catalog() == WORKFLOWS
    assert inspect(database.engine).get_table_names() == tables


def test_a_node_is_enrolled_provisioned_validated_and_terminated(engine: EngineOnTest, lab: httpx.Client) -> None:
    created = create(engine, lab)
    assert engine.process(created).status == "completed", engine.process(created).traceback
    assert status(engine) == "provisioning"
    subscription_id = subscription_of(engine, created)

    for name, after in (
        ("validate_node_enrollment", "provisioning"),
        ("provision_node_enrollment", "active"),
        ("validate_node_enrollment", "active"),
        ("terminate_node_enrollment", "terminated"),
    ):
        process = engine.process(start(engine, name, subscription_id=subscription_id))
        assert process.status == "completed", process.traceback
        assert status(engine) == after

    assert effects(lab) == ["reserve", "create device", "configure system", "delete device", "release"]
    assert lab.get("/esdb/nodes/101").json()["reserved_for"] is None


@pytest.mark.parametrize("answer", ["malformed", "empty", {"name": "wrong"}])
@pytest.mark.parametrize("path", ["/esdb/nodes/101/reservation", "/nso/devices"])
def test_an_effect_with_a_spoiled_answer_happens_once_when_the_step_is_resumed(
    engine: EngineOnTest, lab: httpx.Client, path: str, answer: Any
) -> None:
    put_fault(lab, path=path, method="PUT", answer=answer)
    seq = create(engine, lab)
    assert engine.process(seq).status == "failed"

    assert resume(engine, seq).status == "completed"
    assert effects(lab) == ["reserve", "create device"]
    keys = [call["key"] for call in lab.get("/lab/calls").json() if call["path"].startswith(path) and call["key"]]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_system_that_answers_503_is_called_unavailable_and_the_step_can_be_resumed(
    engine: EngineOnTest, lab: httpx.Client
) -> None:
    put_fault(lab, path="/nso", times=2, status=503)
    seq = create(engine, lab)
    assert engine.process(seq).status == "api_unavailable"
    assert "503" in engine.process(seq).failed_reason
    assert resume(engine, seq).status == "api_unavailable"
    assert resume(engine, seq).status == "completed"


def test_a_node_that_somebody_else_has_is_not_taken(engine: EngineOnTest, lab: httpx.Client) -> None:
    lab.put("/esdb/nodes/101/reservation", json={"subscription_id": "another"})
    process = engine.process(create(engine, lab))

    assert process.status == "failed"
    assert "reserved for another" in process.failed_reason
    assert effects(lab) == ["reserve"]


def test_terminate_undoes_a_create_that_never_came_to_its_end(engine: EngineOnTest, lab: httpx.Client) -> None:
    put_fault(lab, path="/nso", method="PUT", status=500)
    created = create(engine, lab)
    assert status(engine) == "initial"
    # Nobody has given the subscription back, as abort offers to do.
    engine.query("UPDATE subscriptions SET insync = true, held_by = NULL")

    process = engine.process(
        start(engine, "terminate_node_enrollment", subscription_id=subscription_of(engine, created))
    )
    assert process.status == "completed", process.traceback
    assert process.state["removed_from_nso"] is False
    assert effects(lab) == ["reserve", "release"]
    assert status(engine) == "terminated"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda lab: lab.delete("/nso/devices/ams-cr6"), "Device not found in NSO"),
        (lambda lab: lab.put("/nso/devices/ams-cr6", json={"routing_domain": "other"}), "the subscription says"),
        (lambda lab: lab.delete("/esdb/nodes/101/reservation"), "Node is reserved for None in ESDB"),
    ],
)
def test_validate_finds_what_the_systems_outside_know_otherwise(
    engine: EngineOnTest, lab: httpx.Client, spoil: Any, complaint: str
) -> None:
    created = create(engine, lab)
    assert spoil(lab).status_code == 200
    seq = start(engine, "validate_node_enrollment", subscription_id=subscription_of(engine, created))

    assert engine.process(seq).status == "inconsistent_data"
    assert complaint in engine.process(seq).failed_reason


def test_modify_stops_at_its_input_step_with_the_change_that_somebody_has_to_agree_to(
    engine: EngineOnTest, lab: httpx.Client
) -> None:
    subscription_id = subscription_of(engine, create(engine, lab))
    seq = start(engine, "modify_node_enrollment", subscription_id=subscription_id, routing_domain="esnet-294")
    process = engine.process(seq)

    assert (process.status, process.step_key, process.assignee) == ("suspended", "agree_to_change", "NOC")
    assert process.state["change"] == {"routing_domain": {"from": "esnet-293", "to": "esnet-294"}}
