"""What a load reads: one statement, or two where it turns out that blocks of other subscriptions are referred to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import Field
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.orm import Session

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.storage.database import Database
from orchestrator.storage.tables import ProductBlockTable, SubscriptionInstanceTable
from tests.integration.domain.models import MODELS, Circuit, LoopbackBlock, new_circuit

Unit = Callable[..., AbstractContextManager[Session]]
# Whatever JSON or SQL could take for its own.
ODD = 'it"s \\ [a], {b}: ü\n\t%s :x'


class OddBlock(ProductBlockModel, product_block_name=ODD):
    note: str


class OddUser(SubscriptionModel, is_base=True):
    odd: OddBlock | None = None
    besides: OddBlock | None = None
    more: list[OddBlock] = Field(default_factory=list)


@pytest.fixture(autouse=True)
def registered(register: Callable[[dict[str, type]], None]) -> None:
    register({**MODELS, "Everything": OddUser})
    Circuit.__refers_to_others__ = False


def test_that_others_are_referred_to_is_learned(
    unit: Unit, products: dict[str, UUID], port: Any, statements: list[Any]
) -> None:
    with unit():
        alone = new_circuit(products)
        alone.save()
        referring = new_circuit(products)
        referring.circuit.endpoints[0].port = port.port
        referring.save()
    sent = []
    for one in (alone, referring, referring, alone, alone):
        with unit():
            statements.clear()
            assert Circuit.from_subscription(one.subscription_id) == one
            sent.append(len(statements))
    assert sent == [1, 2, 1, 1, 1]


def test_names_and_labels_are_read_as_they_are(unit: Unit, products: dict[str, UUID]) -> None:
    with unit() as session:
        session.add(ProductBlockTable(name=ODD))
        session.flush()
        made = OddUser.from_product_id(products["Everything"], ODD, description=ODD)
        owner = made.subscription_id
        first, second, *several = [OddBlock.new(owner, note=ODD, label=ODD + str(number)) for number in range(6)]
        made.odd, made.besides, made.more = first, second, several
        made.save()
    with unit():
        assert OddUser.from_subscription(owner) == made
        assert OddBlock.from_db(first.subscription_instance_id) == first


def test_what_the_session_has_to_write_is_read(unit: Unit, products: dict[str, UUID]) -> None:
    with unit() as session:
        circuit = new_circuit(products)
        circuit.extras = [LoopbackBlock.new(circuit.subscription_id, label="before")]
        circuit.save()
        row = session.get_one(SubscriptionInstanceTable, circuit.extras[0].subscription_instance_id)
        row.label = "after"
        assert Circuit.from_subscription(circuit.subscription_id).extras[0].label == "after"


def test_a_load_needs_nothing_of_how_an_author_reads_rows(unit: Unit, products: dict[str, UUID]) -> None:
    with unit() as session:
        circuit = new_circuit(products)
        circuit.save()
        pooled = session.connection().connection
        pooled.info.pop("cursor")  # as on a connection that loads for the first time
        driver: Any = pooled.driver_connection
        driver.row_factory = psycopg.rows.dict_row
        assert Circuit.from_subscription(circuit.subscription_id) == circuit
        driver.row_factory = psycopg.rows.tuple_row


def test_a_connection_that_is_lost_in_a_load_is_used_no_more(
    unit: Unit, products: dict[str, UUID], database: Database, database_url: str
) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.save()
    with database.reading() as session:
        driver: Any = session.connection().connection.driver_connection
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])
        with pytest.raises(OperationalError) as raised:
            Circuit.from_subscription(circuit.subscription_id)
        assert raised.value.connection_invalidated
        session.rollback()
    with database.reading():
        assert Circuit.from_subscription(circuit.subscription_id) == circuit


def test_a_load_in_a_transaction_that_failed_is_refused_as_any_statement(
    unit: Unit, products: dict[str, UUID], database: Database
) -> None:
    with unit():
        circuit = new_circuit(products)
        circuit.save()
    with database.reading() as session:
        with pytest.raises(DBAPIError):
            session.connection().exec_driver_sql("SELECT 1 / 0")
        with pytest.raises(InternalError, match="transaction is aborted") as raised:
            Circuit.from_subscription(circuit.subscription_id)
        assert not raised.value.connection_invalidated
        session.rollback()
        assert Circuit.from_subscription(circuit.subscription_id) == circuit
