"""Subscriptions, their blocks, and which block uses which."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.storage.tables.declarative import GROWING, Base, Json, Now, PublicId


class SubscriptionTable(Base):
    """A customer's subscription to a product. `version` counts saves; `held_by` is the process that took it."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint(
            "status IN ('initial','active','migrating','disabled','terminated','provisioning')", name="status"
        ),
        Index("ix_subscriptions_status_seq", "status", "seq"),
        Index("ix_subscriptions_out_of_sync", "seq", postgresql_where=text("NOT insync")),
        Index("ix_subscriptions_start_date_seq", "start_date", "seq"),
        GROWING,
    )

    subscription_id: Mapped[PublicId]
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=False), unique=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id"), index=True)
    customer_id: Mapped[str] = mapped_column(index=True)
    description: Mapped[str]
    status: Mapped[str]
    insync: Mapped[bool] = mapped_column(server_default=text("false"))
    start_date: Mapped[datetime | None]
    end_date: Mapped[datetime | None]
    note: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    held_by: Mapped[UUID | None]
    created_at: Mapped[Now]
    last_modified_at: Mapped[Now]


class SubscriptionInstanceTable(Base):
    """One block of a subscription; `values` holds its resource types as JSON, in the types they were given.

    `root_attribute` is the attribute of the subscription model that holds a root block (`root_order` its place in a
    list of them); it is null for a block that is reached through another.
    """

    __tablename__ = "subscription_instances"
    __table_args__ = (
        Index(
            "ix_subscription_instances_values",
            "values",
            postgresql_using="gin",
            postgresql_ops={"values": "jsonb_path_ops"},
        ),
        GROWING,
    )

    subscription_instance_id: Mapped[PublicId]
    subscription_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"), index=True
    )
    product_block_id: Mapped[UUID] = mapped_column(ForeignKey("product_blocks.product_block_id"), index=True)
    label: Mapped[str | None]
    root_attribute: Mapped[str | None]
    root_order: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    values: Mapped[Json] = mapped_column(server_default=text("'{}'::jsonb"))


class SubscriptionInstanceRelationTable(Base):
    """Block `in_use_by_id` refers to block `depends_on_id` by `domain_model_attr`, as number `order_id` of its list."""

    __tablename__ = "subscription_instance_relations"

    in_use_by_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscription_instances.subscription_instance_id", ondelete="CASCADE"), primary_key=True
    )
    domain_model_attr: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    depends_on_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscription_instances.subscription_instance_id"), index=True
    )
