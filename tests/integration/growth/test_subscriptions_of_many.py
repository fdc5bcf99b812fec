"""What is read of one subscription is its blocks and what they refer to, however many subscriptions there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.orm import Session

from orchestrator.storage.block_trees import load_block
from orchestrator.storage.database import Database, build_engine, libpq_url
from orchestrator.storage.session import Origin
from orchestrator.storage.subscription_finding import lock_subscriptions
from orchestrator.storage.subscription_links import LinkRow, hold_all_below, write_links
from orchestrator.storage.subscription_relations import (
    blocks_depended_on,
    blocks_using,
    subscriptions_depended_on,
    subscriptions_using,
    usage_of,
)
from orchestrator.storage.subscription_statements import load_subscription
from orchestrator.testing.servers import DatabaseServer
from tests.integration.growth.reading import reads_of

OTHERS = 20_000
PORTS = 30
# A circuit has 61 blocks and 90 links, and refers to 30 ports, of which each has one more block.
FEW = 400

_ROWS = """
INSERT INTO products (product_id, name, product_type, tag) VALUES (gen_random_uuid(), 'Line', 'Line', 'LINE');
INSERT INTO product_blocks (product_block_id, name) VALUES (gen_random_uuid(), 'Line');
INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status, insync)
SELECT gen_random_uuid(), product_id, 'customer ' || n % 1000, 'Line ' || n, 'active', true
FROM products, generate_series(1, {others}) AS n;
INSERT INTO subscription_instances (subscription_instance_id, subscription_id, product_block_id, root_attribute, label)
SELECT gen_random_uuid(), subscription_id, product_block_id, CASE n WHEN 1 THEN 'root' END, n
FROM subscriptions, product_blocks, generate_series(1, 4) AS n;
INSERT INTO subscription_instance_relations (in_use_by_id, domain_model_attr, order_id, depends_on_id)
SELECT above.subscription_instance_id, 'parts', below.label::int, below.subscription_instance_id
FROM subscription_instances above JOIN subscription_instances below USING (subscription_id)
WHERE above.label = '1' AND below.label <> '1';
INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status, insync)
SELECT gen_random_uuid(), product_id, 'customer', 'Port ' || n, 'active', true
FROM products, generate_series(1, {ports}) AS n;
INSERT INTO subscription_instances (subscription_instance_id, subscription_id, product_block_id, root_attribute, label)
SELECT gen_random_uuid(), subscription_id, product_block_id, CASE n WHEN 1 THEN 'port' END, 'port ' || n
FROM subscriptions s, product_blocks, generate_series(1, 2) AS n WHERE s.description LIKE 'Port %';
INSERT INTO subscription_instance_relations (in_use_by_id, domain_model_attr, order_id, depends_on_id)
SELECT above.subscription_instance_id, 'part', 0, below.subscription_instance_id
FROM subscription_instances above JOIN subscription_instances below USING (subscription_id)
WHERE above.label = 'port 1' AND below.label = 'port 2';
INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status, insync)
SELECT gen_random_uuid(), product_id, 'customer', 'Circuit', 'active', true FROM products;
INSERT INTO subscription_instances (subscription_instance_id, subscription_id, product_block_id, root_attribute, label)
SELECT gen_random_uuid(), subscription_id, product_block_id, CASE n WHEN 0 THEN 'circuit' END, 'end ' || n
FROM subscriptions s, product_blocks, generate_series(0, {ports} * 2) AS n WHERE s.description = 'Circuit';
INSERT INTO subscription_instance_relations (in_use_by_id, domain_model_attr, order_id, depends_on_id)
SELECT above.subscription_instance_id, 'ends', substr(below.label, 5)::int, below.subscription_instance_id
FROM subscription_instances above JOIN subscription_instances below USING (subscription_id)
WHERE above.label = 'end 0' AND below.label <> 'end 0';
INSERT INTO subscription_instance_relations (in_use_by_id, domain_model_attr, order_id, depends_on_id)
SELECT own.subscription_instance_id, 'port', 0, port.subscription_instance_id
FROM subscription_instances own, subscription_instances port JOIN subscriptions s USING (subscription_id)
WHERE own.label = 'end ' || substr(s.description, 6) AND port.label = 'port 1';
"""


@dataclass(frozen=True)
class Circuit:
    """One of many: its id, that of its root block, and of a block that it uses."""

    database: Database
    subscription_id: UUID
    root: UUID
    port: UUID


@pytest.fixture(scope="module")
def circuit(database_server: DatabaseServer, template_database: str) -> Iterator[Circuit]:
    """For tests that write nothing."""
    name = f"test_{uuid4().hex[:16]}"
    url = database_server.create(name, template_database)
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(_ROWS.format(others=OTHERS, ports=PORTS))
        connection.execute("VACUUM ANALYZE")
        found = connection.execute(
            "SELECT subscription_id, subscription_instance_id FROM subscription_instances WHERE label = 'end 0'"
        ).fetchone()
        port = connection.execute(
            "SELECT subscription_instance_id FROM subscription_instances WHERE label = 'port 1' LIMIT 1"
        ).fetchone()
    assert found is not None
    assert port is not None
    database = Database(build_engine(url, application_name="tests"))
    yield Circuit(database, *found, *port)
    database.dispose()
    database_server.drop(name)


def link_again(session: Session, circuit: Circuit) -> None:
    write_links(session, [], [LinkRow(circuit.root, "again", 0, circuit.port)], {})


USE_CASES: dict[str, Callable[[Session, Circuit], object]] = {
    "load": lambda session, one: load_subscription(session, one.subscription_id),
    "load a block": lambda session, one: load_block(session, one.root),
    "lock": lambda session, one: lock_subscriptions(session, [one.subscription_id]),
    "hold what it uses": lambda session, one: hold_all_below(session, one.subscription_id, [one.port], Origin("x")),
    "link": link_again,
    "usage": lambda session, one: usage_of(session, one.subscription_id),
    "used by it": lambda session, one: subscriptions_depended_on(session, one.subscription_id),
    "users of it": lambda session, one: subscriptions_using(session, one.subscription_id),
    "blocks used": lambda session, one: blocks_depended_on(session, one.root),
    "users of a block": lambda session, one: blocks_using(session, one.port),
}


@pytest.mark.parametrize("name", USE_CASES)
def test_what_is_read_of_a_subscription_is_its_own(circuit: Circuit, name: str) -> None:
    def use_case() -> None:
        with Session(circuit.database.engine) as session:
            USE_CASES[name](session, circuit)

    reads = reads_of(circuit.database.engine, use_case)
    assert reads
    assert all(read.rows <= FEW for read in reads), reads
