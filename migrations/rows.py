"""Finding, adding and linking rows by the names that data revisions use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Table, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from uuid_utils.compat import uuid7

from orchestrator.errors import DataRevisionError
from orchestrator.migrations.parameters import Described
from orchestrator.storage.tables import Base, ProductBlockTable, ProductTable, ResourceTypeTable

_DESCRIBED = TypeAdapter(dict[str, Described])


def described(entries: Mapping[str, Described]) -> Iterator[tuple[str, str, UUID]]:
    """Yield name, text and id of `{name: text}` and `{name: (text, id)}`; ids that are not given are new."""
    for name, entry in _DESCRIBED.validate_python(dict(entries)).items():
        said, given = (entry, None) if isinstance(entry, str) else entry
        yield name, said, given or uuid7()


def name_in(params: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> str:
    """Return the `name` that a dict or keywords have; raises DataRevisionError when they have none."""
    name = {**(params or {}), **keywords}.get("name")
    if not isinstance(name, str):
        raise DataRevisionError("the key 'name' is missing: it says what is to be deleted.")
    return name


def insert_new(conn: Connection, table: type[Base], what: str, values: Mapping[str, Any]) -> None:
    """Insert a row whose name must be new; raises DataRevisionError when it is not."""
    name = Base.metadata.tables[table.__tablename__].c.name
    statement = insert_or_skip(table).values(**values).on_conflict_do_nothing(index_elements=[name]).returning(name)
    if conn.execute(statement).one_or_none() is None:
        raise DataRevisionError(f"There is a {what} {values['name']!r} already.")


def link(conn: Connection, table: Table | type[Base], **ids: UUID) -> None:
    """Insert a pair of ids unless it is there."""
    conn.execute(insert_or_skip(table).values(**ids).on_conflict_do_nothing())


def product_id_of(conn: Connection, product: UUID | str) -> UUID:
    """Return the id of a product, given by name or id; raises DataRevisionError when there is none."""
    column = ProductTable.name if isinstance(product, str) else ProductTable.product_id
    return _only(conn, ProductTable.product_id, column == product, f"product {str(product)!r}")


def block_id_of(conn: Connection, name: str) -> UUID:
    """Return the id of a product block; raises DataRevisionError when there is none of that name."""
    return _only(conn, ProductBlockTable.product_block_id, ProductBlockTable.name == name, f"product block {name!r}")


def resource_type_id_of(conn: Connection, name: str) -> UUID:
    """Return the id of a resource type; raises DataRevisionError when there is none of that name."""
    this = ResourceTypeTable.resource_type == name
    return _only(conn, ResourceTypeTable.resource_type_id, this, f"resource type {name!r}")


def _only(conn: Connection, column: Any, condition: ColumnElement[bool], what: str) -> UUID:
    found: UUID | None = conn.execute(select(column).where(condition)).scalar_one_or_none()
    if found is None:
        raise DataRevisionError(f"There is no {what}.")
    return found
