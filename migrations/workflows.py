"""Workflows in data revisions: their rows, and their links to products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update
from uuid_utils.compat import uuid7

from orchestrator.errors import DataRevisionError
from orchestrator.language.vocabulary import Target
from orchestrator.migrations.parameters import WorkflowChanges, WorkflowParameters, read
from orchestrator.migrations.rows import link, product_id_of
from orchestrator.storage.tables import ProcessTable, ProductTable, WorkflowTable, products_workflows

_TASKS = {Target.SYSTEM, Target.VALIDATE}


def create_workflow(conn: Connection, params: Mapping[str, Any] | None = None, /, **keywords: Any) -> UUID:
    """Make a workflow known, link it to its products, and return its id.

    The dict (or the keywords) says `name`, `target`, `description`, `tag` and `search_phrase`: every product with that
    tag whose name is LIKE the phrase is linked; without a phrase every product with the tag, without a tag none.
    Instead, `products` may name them one by one.
    `is_task` is true for SYSTEM and VALIDATE unless given; `workflow_id` fixes the id, else it is a new UUIDv7.
    A workflow that exists gets the new target, description and links, and keeps those that it has.

    Raises:
        DataRevisionError: the dict is wrong, there is a tag and no such product, or the workflow has another id.
    """
    wanted = read(WorkflowParameters, params, keywords)
    products = _products_of(conn, wanted)
    if wanted.tag is not None and not products:
        raise DataRevisionError(_no_products(conn, wanted))
    values = {
        "target": wanted.target.value,
        "description": wanted.description,
        "is_task": wanted.target in _TASKS if wanted.is_task is None else wanted.is_task,
        "deleted_at": None,
    }
    workflow_id = _find(conn, wanted)
    if workflow_id is None:
        workflow_id = wanted.workflow_id or uuid7()
        conn.execute(insert(WorkflowTable).values(workflow_id=workflow_id, name=wanted.name, **values))
    else:
        conn.execute(update(WorkflowTable).where(WorkflowTable.workflow_id == workflow_id).values(**values))
    for product_id in products:
        link(conn, products_workflows, product_id=product_id, workflow_id=workflow_id)
    return workflow_id


def delete_workflow(conn: Connection, params: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
    """Take back what `create_workflow` did with the same dict; a workflow that is not there is no error.

    The links to the products of that tag and phrase go (without a tag: all links). When none is left, the workflow goes
    too; if processes refer to it, its row stays and is marked as deleted.

    Raises:
        DataRevisionError: the dict is wrong.
    """
    wanted = read(WorkflowParameters, params, keywords)
    workflow_id = conn.execute(
        select(WorkflowTable.workflow_id).where(WorkflowTable.name == wanted.name, WorkflowTable.deleted_at.is_(None))
    ).scalar_one_or_none()
    if workflow_id is None:
        return
    links = delete(products_workflows).where(products_workflows.c.workflow_id == workflow_id)
    if wanted.tag is not None or wanted.products:
        links = links.where(products_workflows.c.product_id.in_(_products_of(conn, wanted)))
    conn.execute(links)
    if conn.execute(select(exists().where(products_workflows.c.workflow_id == workflow_id))).scalar_one():
        return
    this = WorkflowTable.workflow_id == workflow_id
    if conn.execute(select(exists().where(ProcessTable.workflow_id == workflow_id))).scalar_one():
        conn.execute(update(WorkflowTable).where(this).values(deleted_at=func.now()))
    else:
        conn.execute(delete(WorkflowTable).where(this))


def update_workflow(conn: Connection, name: str, **changes: Any) -> None:
    """Give a workflow another `target`, `description` or `is_task`.

    Raises:
        DataRevisionError: there is no such workflow, or something else is to be changed.
    """
    wanted = read(WorkflowChanges, changes, {}).model_dump(exclude_none=True, mode="json")
    this = WorkflowTable.workflow_id == _living(conn, name)
    conn.execute(update(WorkflowTable).where(this).values(**wanted))


def link_workflow(conn: Connection, name: str, products: Iterable[str]) -> None:
    """Let a workflow be for these products, too.

    Raises:
        DataRevisionError: there is no such workflow or product.
    """
    workflow_id = _living(conn, name)
    for product in products:
        link(conn, products_workflows, product_id=product_id_of(conn, product), workflow_id=workflow_id)


def unlink_workflow(conn: Connection, name: str, products: Iterable[str]) -> None:
    """Let a workflow be for these products no more.

    Raises:
        DataRevisionError: there is no such workflow or product.
    """
    ids = [product_id_of(conn, product) for product in products]
    conn.execute(
        delete(products_workflows).where(
            products_workflows.c.workflow_id == _living(conn, name), products_workflows.c.product_id.in_(ids)
        )
    )


def _living(conn: Connection, name: str) -> UUID:
    this = (WorkflowTable.name == name, WorkflowTable.deleted_at.is_(None))
    found: UUID | None = conn.execute(select(WorkflowTable.workflow_id).where(*this)).scalar_one_or_none()
    if found is None:
        raise DataRevisionError(f"There is no workflow {name!r}.")
    return found


def _find(conn: Connection, wanted: WorkflowParameters) -> UUID | None:
    """The row of that name: the living one, else the one that was marked as deleted last."""
    found = conn.execute(
        select(WorkflowTable.workflow_id)
        .where(WorkflowTable.name == wanted.name)
        .order_by(WorkflowTable.deleted_at.desc().nulls_first())
        .limit(1)
    ).scalar_one_or_none()
    if found is not None and wanted.workflow_id not in (None, found):
        raise DataRevisionError(f"The workflow {wanted.name!r} exists with the id {found}, not {wanted.workflow_id}.")
    return found


def _matches(wanted: WorkflowParameters) -> list[ColumnElement[bool]]:
    phrase = [] if wanted.search_phrase is None else [ProductTable.name.like(wanted.search_phrase)]
    return [ProductTable.tag == wanted.tag, *phrase]


def _products_of(conn: Connection, wanted: WorkflowParameters) -> list[UUID]:
    if wanted.products:
        return [product_id_of(conn, name) for name in wanted.products]
    if wanted.tag is None:
        return []
    return list(conn.execute(select(ProductTable.product_id).where(*_matches(wanted))).scalars())


def _no_products(conn: Connection, wanted: WorkflowParameters) -> str:
    names = conn.execute(
        select(ProductTable.name).where(ProductTable.tag == wanted.tag).order_by(ProductTable.name)
    ).scalars()
    tagged = ", ".join(map(repr, names))
    there_are = f"the names with this tag are {tagged}" if tagged else "no product has this tag"
    return (
        f"The workflow {wanted.name!r} would be linked to nothing: no product with the tag {wanted.tag!r} has a name "
        f"LIKE {wanted.search_phrase or '%'!r}; {there_are}."
    )
