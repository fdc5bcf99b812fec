"""A small catalog in the database, and its models registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from orchestrator.domain.registry import use_products
from orchestrator.domain.subscriptions import change_lifecycle
from orchestrator.storage.database import Database
from orchestrator.storage.session import Origin, current_session
from orchestrator.storage.tables import FixedInputTable, ProductBlockTable, ProductTable
from tests.integration.domain.models import Port, PortInactive

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
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that were sent, as they are sent."""
    sent: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:  # type: ignore[no-untyped-def]
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


@pytest.fixture
def port(unit, products) -> Port:
    """An active port in sync, stored; for tests that have its models registered."""
    with unit():
        port = PortInactive.from_product_id(products["Port"], "customer", insync=True)
        port.port.port_name = "ge-0/0/1"
        port = change_lifecycle(port, "active")
        port.save()
    return port
