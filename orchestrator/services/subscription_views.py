"""Subscriptions to look at: the list, one with its blocks, its relations, and the history of its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from orchestrator.domain import reading
from orchestrator.domain.subscriptions import read_tree
from orchestrator.errors import SubscriptionNotFoundError
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.services.authors_code import code_of
from orchestrator.services.context import Context
from orchestrator.services.lists import Field, Kind, ListDefinition, ListQuery, Page, list_page
from orchestrator.storage.subscription_finding import of_product
from orchestrator.storage.subscription_relations import RelatedSubscription
from orchestrator.storage.tables import ProductTable, SubscriptionChangeTable, SubscriptionTable


@dataclass(frozen=True)
class ProductOfSubscription:
    """The product of a subscription, in short."""

    product_id: UUID
    name: str
    description: str
    product_type: str
    tag: str
    status: str


@dataclass(frozen=True)
class SubscriptionEntry:
    """A subscription in a list. `version` counts its changes."""

    subscription_id: UUID
    description: str
    status: str
    insync: bool
    customer_id: str
    start_date: datetime | None
    end_date: datetime | None
    note: str | None
    version: int
    created_at: datetime
    last_modified_at: datetime
    product: ProductOfSubscription


@dataclass(frozen=True)
class ValueChange:
    """One value that was changed; `path` is like `description` or `ne.ports[2].speed`."""

    change_id: int
    subscription_instance_id: UUID | None
    path: str
    before: Any | None
    after: Any | None
    process_id: UUID | None
    step_key: str | None
    changed_by: str
    changed_at: datetime


SUBSCRIPTION_LIST = ListDefinition(
    "subscriptions",
    select(SubscriptionTable, ProductTable).join(ProductTable, ProductTable.product_id == SubscriptionTable.product_id),
    {
        "subscription_id": Field(SubscriptionTable.subscription_id, Kind.UUID),
        "description": Field(SubscriptionTable.description, Kind.TEXT),
        "status": Field(SubscriptionTable.status, Kind.WORD, words=tuple(SubscriptionLifecycle)),
        "insync": Field(SubscriptionTable.insync, Kind.BOOLEAN),
        "customer_id": Field(SubscriptionTable.customer_id, Kind.WORD),
        "start_date": Field(SubscriptionTable.start_date, Kind.TIME),
        "end_date": Field(SubscriptionTable.end_date, Kind.TIME),
        "note": Field(SubscriptionTable.note, Kind.TEXT),
        "version": Field(SubscriptionTable.version, Kind.INTEGER),
        "created_at": Field(SubscriptionTable.created_at, Kind.TIME),
        "last_modified_at": Field(SubscriptionTable.last_modified_at, Kind.TIME),
        "product": Field(ProductTable.name, Kind.TEXT, through=of_product),
        "product_id": Field(SubscriptionTable.product_id, Kind.UUID),
        "product_type": Field(ProductTable.product_type, Kind.WORD, through=of_product),
        "tag": Field(ProductTable.tag, Kind.WORD, through=of_product),
    },
    tie=SubscriptionTable.seq,
    counted=select(SubscriptionTable.seq),
)

CHANGE_LIST = ListDefinition(
    "changes",
    select(SubscriptionChangeTable),
    {
        "change_id": Field(SubscriptionChangeTable.change_id, Kind.INTEGER),
        "path": Field(SubscriptionChangeTable.path, Kind.TEXT),
        "process_id": Field(SubscriptionChangeTable.process_id, Kind.UUID),
        "subscription_instance_id": Field(SubscriptionChangeTable.subscription_instance_id, Kind.UUID),
        "step_key": Field(SubscriptionChangeTable.step_key, Kind.WORD),
        "changed_by": Field(SubscriptionChangeTable.changed_by, Kind.TEXT),
        "changed_at": Field(SubscriptionChangeTable.changed_at, Kind.TIME),
    },
    tie=SubscriptionChangeTable.change_id,
)


def list_subscriptions(context: Context, query: ListQuery) -> Page[SubscriptionEntry]:
    """Subscriptions, the newest first unless the query says otherwise.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        return list_page(session, SUBSCRIPTION_LIST, query).map(lambda row: _entry(row[0], row[1]))


def subscription_entry(context: Context, subscription_id: UUID) -> SubscriptionEntry:
    """One subscription as a list has it.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    with context.database.reading() as session:
        statement = SUBSCRIPTION_LIST.statement.where(SubscriptionTable.subscription_id == subscription_id)
        row = session.execute(statement).one_or_none()
        if row is None:
            raise _not_found(subscription_id)
        return _entry(row[0], row[1])


def subscription_model(context: Context, subscription_id: UUID) -> dict[str, Any]:
    """The subscription as its domain model gives it, with the subscriptions that use it, as JSON values.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
        CodeFailedError: the code of its model raised.
    """
    with context.database.reading():
        tree = read_tree(subscription_id)
        users = reading.in_use_by(subscription_id)
    # By itself, and with no connection as long as the model asks for none: it is authors' code.
    with context.database.reading(with_authors=True), code_of(f"the model of subscription {subscription_id}"):
        detail = reading.subscription_detail(tree)
    return {**detail, "in_use_by_ids": [str(user.subscription_id) for user in users]}


def in_use_by(context: Context, subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """The subscriptions that use a block of this one, oldest first.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    return _related(context, subscription_id, reading.in_use_by)


def depends_on(context: Context, subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """The subscriptions of which this one uses a block, oldest first.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    return _related(context, subscription_id, reading.depends_on)


def subscription_changes(context: Context, subscription_id: UUID, query: ListQuery) -> Page[ValueChange]:
    """The history of a subscription's values, the latest change first.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        require_subscription(session, subscription_id)
        narrowed = CHANGE_LIST.where(SubscriptionChangeTable.subscription_id == subscription_id)
        return list_page(session, narrowed, query).map(lambda row: _change(row[0]))


def require_subscription(session: Session, subscription_id: UUID) -> None:
    """Go on only when there is such a subscription.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    found = select(exists().where(SubscriptionTable.subscription_id == subscription_id))
    if not session.execute(found).scalar_one():
        raise _not_found(subscription_id)


def _related(
    context: Context, subscription_id: UUID, read: Callable[[UUID], Sequence[RelatedSubscription]]
) -> Sequence[RelatedSubscription]:
    with context.database.reading() as session:
        require_subscription(session, subscription_id)
        return read(subscription_id)


def _not_found(subscription_id: UUID) -> SubscriptionNotFoundError:
    return SubscriptionNotFoundError(f"there is no subscription {subscription_id}")


def _entry(row: SubscriptionTable, product: ProductTable) -> SubscriptionEntry:
    return SubscriptionEntry(
        subscription_id=row.subscription_id,
        description=row.description,
        status=row.status,
        insync=row.insync,
        customer_id=row.customer_id,
        start_date=row.start_date,
        end_date=row.end_date,
        note=row.note,
        version=row.version,
        created_at=row.created_at,
        last_modified_at=row.last_modified_at,
        product=ProductOfSubscription(
            product.product_id, product.name, product.description, product.product_type, product.tag, product.status
        ),
    )


def _change(row: SubscriptionChangeTable) -> ValueChange:
    return ValueChange(
        change_id=row.change_id,
        subscription_instance_id=row.subscription_instance_id,
        path=row.path,
        before=row.before,
        after=row.after,
        process_id=row.process_id,
        step_key=row.step_key,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
