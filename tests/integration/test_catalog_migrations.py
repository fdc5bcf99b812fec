"""What data revisions call, on a real database: the dicts of the origin's documentation, and their mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from orchestrator.errors import DataRevisionError
from orchestrator.migrations.catalog import (
    create,
    create_fixed_inputs,
    create_product,
    create_product_block,
    create_resource_types,
    create_workflow,
    delete,
    delete_fixed_inputs,
    delete_product,
    delete_product_block,
    delete_resource_types,
    delete_workflow,
    link_product_blocks,
    link_resource_types,
    relate_product_blocks,
    unlink_product_blocks,
    unlink_resource_types,
    unrelate_product_blocks,
)
from orchestrator.storage.database import Database
from orchestrator.storage.tables import Base

PARAMS_CREATE = dict(  # noqa: C408 - as the documentation prints it
    name="create_node_enrollment",
    target="CREATE",
    description="Create Node Enrollment Service",
    tag="NodeEnrollment",
    search_phrase="Node Enrollment%",
)
PARAMS_VALIDATE = dict(  # noqa: C408
    name="validate_node_enrollment",
    target="SYSTEM",
    description="Validate Node Enrollment before production",
    tag="NodeEnrollment",
    search_phrase="Node Enrollment%",
)


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        # The tests look at all that there is; what is built in would be among it.
        connection.execute(text("DELETE FROM workflows"))
        yield connection


def _product(conn: Connection, name: str, tag: str = "NodeEnrollment") -> UUID:
    return create_product(conn, name=name, product_type="Node", tag=tag)


def _links(conn: Connection, workflow: str) -> list[str]:
    return list(
        conn.execute(
            text(
                "SELECT p.name FROM products_workflows JOIN products p USING (product_id) "
                "JOIN workflows w USING (workflow_id) WHERE w.name = :name ORDER BY p.name"
            ),
            {"name": workflow},
        ).scalars()
    )


def _row(conn: Connection, statement: str, **values: Any) -> tuple[Any, ...]:
    return tuple(conn.execute(text(statement), values).one())


def _everything(conn: Connection) -> dict[str, list[Any]]:
    return {
        table.name: sorted(map(str, conn.execute(table.select()).all()))
        for table in Base.metadata.sorted_tables
        if table.name != "engine_settings"
    }


def _run_once(conn: Connection, workflow: str) -> None:
    """A process of that workflow, as the engine would leave it."""
    conn.execute(
        text(
            "WITH v AS (INSERT INTO workflow_versions (workflow_name, hash, steps) VALUES (:name, 'a', '[]') "
            "RETURNING version_id) INSERT INTO processes (process_id, workflow_id, version_id, target, created_by) "
            "SELECT gen_random_uuid(), w.workflow_id, v.version_id, w.target, 'somebody' FROM workflows w, v "
            "WHERE w.name = :name"
        ),
        {"name": workflow},
    )


def _subscribe(conn: Connection, product_id: UUID) -> UUID:
    subscription_id: UUID = conn.execute(
        text(
            "INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status) "
            "VALUES (gen_random_uuid(), :product_id, 'c', 'd', 'active') RETURNING subscription_id"
        ),
        {"product_id": product_id},
    ).scalar_one()
    return subscription_id


def test_a_workflow_is_linked_to_the_products_of_its_tag_whose_name_is_like_the_phrase(conn: Connection) -> None:
    _product(conn, "Node Enrollment")
    _product(conn, "Node Enrollment Metro")
    _product(conn, "Old Node Enrollment")
    _product(conn, "Node Enrollment Elsewhere", tag="Other")

    workflow_id = create_workflow(conn, PARAMS_CREATE)

    assert _links(conn, "create_node_enrollment") == ["Node Enrollment", "Node Enrollment Metro"]
    row = _row(conn, "SELECT workflow_id, target, description, is_task, deleted_at FROM workflows")
    assert row == (workflow_id, "CREATE", "Create Node Enrollment Service", False, None)


@pytest.mark.parametrize(
    ("phrase", "linked"),
    [
        ("%", ["Node 100%", "Node 1000", "node 5"]),
        ("Node%", ["Node 100%", "Node 1000"]),
        ("Node 100_", ["Node 100%", "Node 1000"]),
        (r"%\%", ["Node 100%"]),
        ("Node 1000", ["Node 1000"]),
        (None, ["Node 100%", "Node 1000", "node 5"]),
    ],
)
def test_the_phrase_is_a_like_pattern(conn: Connection, phrase: str | None, linked: list[str]) -> None:
    for name in ("Node 100%", "Node 1000", "node 5"):
        _product(conn, name, tag="Node")

    create_workflow(conn, name="modify_node", target="MODIFY", tag="Node", search_phrase=phrase)

    assert _links(conn, "modify_node") == linked


def test_a_phrase_that_finds_no_product_is_an_error_and_nothing_is_made(conn: Connection) -> None:
    _product(conn, "Enrollment of nodes")

    with pytest.raises(DataRevisionError) as raised:
        create_workflow(conn, PARAMS_CREATE)

    assert str(raised.value) == (
        "The workflow 'create_node_enrollment' would be linked to nothing: no product with the tag 'NodeEnrollment' "
        "has a name LIKE 'Node Enrollment%'; the names with this tag are 'Enrollment of nodes'."
    )
    assert _row(conn, "SELECT count(*) FROM workflows") == (0,)


def test_an_existing_workflow_is_updated_and_gets_new_product_links(conn: Connection) -> None:
    _product(conn, "Node Enrollment")
    first = create_workflow(conn, PARAMS_CREATE)
    _product(conn, "Node Enrollment Metro")

    second = create_workflow(conn, {**PARAMS_CREATE, "description": "Enrol a node"})

    assert first == second
    assert _links(conn, "create_node_enrollment") == ["Node Enrollment", "Node Enrollment Metro"]
    assert _row(conn, "SELECT description FROM workflows") == ("Enrol a node",)


def test_going_down_takes_exactly_the_links_of_the_same_dict(conn: Connection) -> None:
    _product(conn, "Node Enrollment")
    _product(conn, "Switch", tag="Switch")
    create_workflow(conn, PARAMS_CREATE)
    before = _everything(conn)
    switches = {**PARAMS_CREATE, "tag": "Switch", "search_phrase": "S%"}
    create_workflow(conn, switches)
    assert _links(conn, "create_node_enrollment") == ["Node Enrollment", "Switch"]

    delete_workflow(conn, switches)

    assert _everything(conn) == before
    delete_workflow(conn, PARAMS_CREATE)
    assert _row(conn, "SELECT count(*) FROM workflows") == (0,)


def test_a_workflow_that_processes_refer_to_is_marked_as_deleted_and_comes_back_as_itself(conn: Connection) -> None:
    _product(conn, "Node Enrollment")
    workflow_id = create_workflow(conn, PARAMS_CREATE)
    _run_once(conn, "create_node_enrollment")

    delete_workflow(conn, PARAMS_CREATE)

    found = _row(conn, "SELECT workflow_id, deleted_at IS NULL FROM workflows")
    assert found == (workflow_id, False)
    assert _links(conn, "create_node_enrollment") == []

    assert create_workflow(conn, PARAMS_CREATE) == workflow_id
    assert _row(conn, "SELECT workflow_id, deleted_at IS NULL FROM workflows") == (workflow_id, True)


def test_deleting_what_is_not_there_is_no_error(conn: Connection) -> None:
    before = _everything(conn)
    delete_workflow(conn, PARAMS_CREATE)
    delete_product(conn, name="Nothing")
    delete_product_block(conn, name="Nothing")
    delete_resource_types(conn, ["nothing", "at all"])
    assert _everything(conn) == before


def test_a_system_workflow_counts_as_a_task_unless_the_dict_says_otherwise(conn: Connection) -> None:
    _product(conn, "Node Enrollment")
    create_workflow(conn, PARAMS_VALIDATE)
    create_workflow(conn, {**PARAMS_VALIDATE, "name": "other", "is_task": False})

    tasks = conn.execute(text("SELECT name, is_task FROM workflows ORDER BY name")).all()
    assert [tuple(row) for row in tasks] == [("other", False), ("validate_node_enrollment", True)]


def test_a_task_needs_no_product(conn: Connection) -> None:
    create_workflow(conn, name="task_clean_up", target="SYSTEM", description="Clean up")
    assert _row(conn, "SELECT name, is_task FROM workflows") == ("task_clean_up", True)
    delete_workflow(conn, name="task_clean_up", target="SYSTEM")
    assert _row(conn, "SELECT count(*) FROM workflows") == (0,)


def test_ids_are_those_that_were_given(conn: Connection) -> None:
    given = {name: uuid4() for name in ("workflow", "product", "block", "fixed_input", "resource_type")}
    create_product_block(
        conn, name="NE", product_block_id=str(given["block"]), resource_types={"url": ("", given["resource_type"])}
    )
    create_product(
        conn,
        name="Node Enrollment",
        product_type="Node",
        tag="NodeEnrollment",
        product_id=given["product"],
        fixed_inputs={"speed": ("10", given["fixed_input"])},
        product_blocks=["NE"],
    )
    assert create_workflow(conn, PARAMS_CREATE, workflow_id=given["workflow"]) == given["workflow"]
    made = _row(
        conn,
        "SELECT workflow_id, p.product_id, product_block_id, fixed_input_id, resource_type_id "
        "FROM workflows, products p, product_blocks, fixed_inputs, resource_types",
    )
    assert made == tuple(given.values())

    with pytest.raises(DataRevisionError, match="exists with the id"):
        create_workflow(conn, PARAMS_CREATE, workflow_id=uuid4())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"targt": "CREATE"}, "'create_node_enrollment': the key 'targt' is not known (known: name, target,"),
        ({"target": "INVENT"}, "'create_node_enrollment': target should be 'CREATE', 'MODIFY',"),
        ({"tag": None}, "search_phrase says which products of a tag: tag is missing"),
        ({"name": ""}, "name String should have at least 1 character"),
        ({"workflow_id": "seven"}, "workflow_id should be a valid UUID"),
    ],
)
def test_a_wrong_dict_is_refused_with_a_sentence(conn: Connection, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataRevisionError) as raised:
        create_workflow(conn, {**PARAMS_CREATE, **change})
    assert sentence in str(raised.value)


def test_a_missing_key_is_named(conn: Connection) -> None:
    with pytest.raises(DataRevisionError, match="'x': the key 'target' is missing"):
        create_workflow(conn, name="x")
    with pytest.raises(DataRevisionError, match="the key 'name' is missing"):
        delete_product(conn, {"tag": "x"})
    with pytest.raises(DataRevisionError, match=r"the key 'products\.0\.colour' is not known"):
        create(conn, {"products": {"P": {"product_type": "P", "tag": "P", "colour": "red"}}})


CATALOG: dict[str, Any] = {
    "resource_types": {"spare": "Used by nothing yet"},
    "product_blocks": {
        "Node": {"tag": "NODE", "resource_types": {"url": "Where it is", "serial": ""}, "depends_on": ["Port", "Node"]},
        "Port": {"resource_types": ["speed", "url"]},
    },
    "products": {
        "Node Enrollment": {
            "product_type": "Node",
            "tag": "NodeEnrollment",
            "fixed_inputs": {"vendor": "acme"},
            "product_blocks": ["Node", "Port"],
        }
    },
    "workflows": [PARAMS_CREATE, PARAMS_VALIDATE],
}


def test_a_whole_catalog_is_created_and_deleted_without_a_trace(conn: Connection) -> None:
    create_product_block(conn, name="Rack", resource_types=["url"])
    before = _everything(conn)

    create(conn, CATALOG)

    types = conn.execute(text("SELECT resource_type FROM resource_types ORDER BY 1")).scalars()
    assert list(types) == ["serial", "spare", "speed", "url"]
    assert _row(conn, "SELECT count(*) FROM product_block_relations") == (2,)
    assert _row(conn, "SELECT count(*) FROM product_product_blocks") == (2,)
    assert _row(conn, "SELECT name, value FROM fixed_inputs") == ("vendor", "acme")
    assert _links(conn, "validate_node_enrollment") == ["Node Enrollment"]

    delete(conn, CATALOG)

    assert _everything(conn) == before


def test_what_exists_is_not_created_again(conn: Connection) -> None:
    create(conn, CATALOG)
    with pytest.raises(DataRevisionError, match="There is a product 'Node Enrollment' already"):
        _product(conn, "Node Enrollment")
    with pytest.raises(DataRevisionError, match="There is a product block 'Port' already"):
        create_product_block(conn, name="Port")


def test_what_subscriptions_or_products_use_is_not_deleted(conn: Connection) -> None:
    create(conn, CATALOG)
    (product_id,) = _row(conn, "SELECT product_id FROM products")
    subscription_id = _subscribe(conn, product_id)
    conn.execute(
        text(
            "INSERT INTO subscription_instances (subscription_instance_id, subscription_id, product_block_id) "
            "SELECT gen_random_uuid(), :subscription_id, product_block_id FROM product_blocks WHERE name = 'Port'"
        ),
        {"subscription_id": subscription_id},
    )
    before = _everything(conn)

    with pytest.raises(DataRevisionError, match=r"'Node Enrollment' cannot be deleted: it has subscriptions \(1\)"):
        delete_product(conn, name="Node Enrollment")
    with pytest.raises(DataRevisionError, match="'Port' cannot be deleted: it is part of 'Node Enrollment'"):
        delete_product_block(conn, name="Port")
    assert _everything(conn) == before

    unlink_product_blocks(conn, "Node Enrollment", ["Port"])
    with pytest.raises(DataRevisionError, match="'Port' cannot be deleted: there are subscriptions with it"):
        delete_product_block(conn, name="Port")


def test_links_are_made_and_taken_one_by_one(conn: Connection) -> None:
    create(conn, CATALOG)
    before = _everything(conn)
    names = ["mtu", "vlan' OR 1=1 --"]

    create_resource_types(conn, dict.fromkeys(names, ""))
    link_resource_types(conn, "Port", names)
    relate_product_blocks(conn, "Port", ["Port"])
    create_fixed_inputs(conn, "Node Enrollment", {"site": "north", "floor": "2"})
    unlink_product_blocks(conn, "Node Enrollment", ["Port"])
    after = _everything(conn)
    assert {name for name in before if before[name] != after[name]} == {
        "fixed_inputs",
        "product_block_relations",
        "product_block_resource_types",
        "product_product_blocks",
        "resource_types",
    }

    link_product_blocks(conn, "Node Enrollment", ["Port"])
    delete_fixed_inputs(conn, "Node Enrollment", ["site", "floor"])
    unrelate_product_blocks(conn, "Port", ["Port"])
    unlink_resource_types(conn, "Port", names)
    delete_resource_types(conn, names)
    assert _everything(conn) == before


def test_a_link_to_what_is_not_there_names_it(conn: Connection) -> None:
    create(conn, CATALOG)
    with pytest.raises(DataRevisionError, match=r"There is no product block 'Cable'\."):
        link_product_blocks(conn, "Node Enrollment", ["Cable"])
    with pytest.raises(DataRevisionError, match=r"There is no resource type 'colour'\."):
        link_resource_types(conn, "Port", ["colour"])
    with pytest.raises(DataRevisionError, match=r"There is no product 'Router'\."):
        create_fixed_inputs(conn, "Router", {"a": "b"})
