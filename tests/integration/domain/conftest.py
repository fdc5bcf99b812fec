"""A small catalog in the database, and its models registered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.domain.builtin_steps import run_builtin
from orchestrator.domain.registry import use_products
from orchestrator.domain.subscriptions import change_lifecycle
from orchestrator.storage.database import Database
from orchestrator.storage.session import Origin, current_session
from orchestrator.storage.tables import (
    FixedInputTable,
    ProcessTable,
    ProductBlockTable,
    ProductTable,
    WorkflowTable,
    WorkflowVersionTable,
)
from tests.integration.domain.models import Port, PortInactive
from tests.integration.statements import given_to_driver

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
BLOCKS = ("Node", "Port", "Circuit", "Endpoint", "Loopback", "Everything")


@pytest.fixture
def products(database: Database) -> dict[str, UUID]:
    """Products by name; blocks of all kinds are there."""
    ids: dict[str, UUID] = {}
    with database.transaction("migration") as session:
        session.add_all(ProductBlockTable(name=name) for name in BLOCKS)
        for name in ("Node Enrollment", "Port", "Circuit", "Everything"):
            product = ProductTable(name=name, description=name, product_type=name, tag=name.replace(" ", ""))
            session.add(product)
            session.flush()
            ids[name] = product.product_id
        session.add(FixedInputTable(product_id=ids["Port"], name="speed", value="1000"))
        session.add(FixedInputTable(product_id=ids["Port"], name="speed_class", value="1000"))
        session.add(FixedInputTable(product_id=ids["Port"], name="domain", value="SURF"))
    return ids


@pytest.fixture
def register() -> Iterator[Callable[[dict[str, type]], None]]:
    """Registers models for one test."""
    yield use_products
    use_products({})


@pytest.fixture
def unit(database: Database) -> Callable[..., AbstractContextManager[Session]]:
    """Opens a unit of work of a process: committed at its end."""

    @contextmanager
    def open_unit(process_id: UUID | None = None, process_seq: int | None = None, step_key: str = "a_step"):
        origin = Origin("tester", process_id or uuid4(), process_seq, step_key)
        with (
            Session(database.engine, expire_on_commit=False) as session,
            current_session(lambda: session, origin),
            session.begin(),
        ):
            yield session

    return open_unit


@pytest.fixture
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that were sent, as they are sent, with their values."""
    with given_to_driver(database.engine) as given:
        yield given


@pytest.fixture
def port(unit, products) -> Port:
    """An active port in sync, stored; for tests that have its models registered."""
    with unit():
        port = PortInactive.from_product_id(products["Port"], "customer", insync=True)
        port.port.port_name = "ge-0/0/1"
        port = change_lifecycle(port, "active")
        port.save()
    return port


@dataclass(frozen=True)
class Process:
    """One process that works on the subscription."""

    process_id: UUID
    process_seq: int


@pytest.fixture
def new_process(unit):
    def create(target: str = "MODIFY", status: str = "running") -> Process:
        with unit() as session:
            workflow = WorkflowTable(name=f"modify_{uuid4().hex}", target=target)
            version = WorkflowVersionTable(workflow_name=workflow.name, hash="", steps=[])
            session.add_all([workflow, version])
            session.flush()
            process = ProcessTable(
                workflow_id=workflow.workflow_id,
                version_id=version.version_id,
                target=target,
                created_by="tester",
                status=status,
            )
            session.add(process)
            session.flush()
            return Process(process.process_id, process.seq)

    return create


@pytest.fixture
def step(unit):
    """Runs a built-in step of a process in a transaction of its own."""

    def run(process: Process, action, state):
        with unit(process.process_id, process.process_seq):
            return run_builtin(action, state)

    return run


@pytest.fixture
def wait_for_a_waiter(database: Database) -> Callable[[], None]:
    """Waits until some transaction of this database waits for a lock."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        waiting = 0
        while not waiting:
            assert time.monotonic() < deadline, "nobody waits for a lock"
            with database.engine.connect() as connection:
                waiting = connection.execute(WAITING).scalar_one()

    return wait
