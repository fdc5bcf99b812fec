"""Products, what they are made of, and the workflows that act on them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator.storage.tables.declarative import Base, JsonValue, Now, PublicId, Sequence

product_product_blocks = Table(
    "product_product_blocks",
    Base.metadata,
    Column("product_id", ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True),
    Column("product_block_id", ForeignKey("product_blocks.product_block_id"), primary_key=True, index=True),
)

product_block_resource_types = Table(
    "product_block_resource_types",
    Base.metadata,
    Column("product_block_id", ForeignKey("product_blocks.product_block_id", ondelete="CASCADE"), primary_key=True),
    Column("resource_type_id", ForeignKey("resource_types.resource_type_id"), primary_key=True, index=True),
    # As the code names the type of the value; null where no revision has said it.
    Column("value_type", Text),
)

products_workflows = Table(
    "products_workflows",
    Base.metadata,
    Column("product_id", ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True),
    Column("workflow_id", ForeignKey("workflows.workflow_id", ondelete="CASCADE"), primary_key=True, index=True),
)


class WorkflowTable(Base):
    """A workflow as the catalog knows it. Its target here wins over the one in the code."""

    __tablename__ = "workflows"
    __table_args__ = (
        CheckConstraint("target IN ('CREATE','MODIFY','TERMINATE','SYSTEM','VALIDATE','RECONCILE')", name="target"),
        Index("uq_workflows_name", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    workflow_id: Mapped[PublicId]
    name: Mapped[str]
    target: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    is_task: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Now]
    deleted_at: Mapped[datetime | None]


class WorkflowVersionTable(Base):
    """The step list that a process is pinned to: `steps` is a list of `{"key", "name", "kind", "assignee"}`."""

    __tablename__ = "workflow_versions"
    __table_args__ = (UniqueConstraint("workflow_name", "hash"),)

    version_id: Mapped[Sequence]
    workflow_name: Mapped[str]
    hash: Mapped[str]
    steps: Mapped[JsonValue]
    created_at: Mapped[Now]


class ProductTable(Base):
    """A product that can be sold: its subscriptions have the product's blocks and fixed inputs."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("status IN ('active','pre production','phase out','end of life')", name="status"),
        UniqueConstraint("name"),
    )

    product_id: Mapped[PublicId]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    product_type: Mapped[str]
    tag: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(server_default="active")
    created_at: Mapped[Now]
    end_date: Mapped[datetime | None]

    fixed_inputs: Mapped[list[FixedInputTable]] = relationship(order_by="FixedInputTable.name")
    product_blocks: Mapped[list[ProductBlockTable]] = relationship(
        secondary=product_product_blocks, order_by="ProductBlockTable.name"
    )
    workflows: Mapped[list[WorkflowTable]] = relationship(secondary=products_workflows, order_by="WorkflowTable.name")


class FixedInputTable(Base):
    """A value that all subscriptions of a product share."""

    __tablename__ = "fixed_inputs"
    __table_args__ = (UniqueConstraint("product_id", "name"),)

    fixed_input_id: Mapped[PublicId]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    name: Mapped[str]
    value: Mapped[str]
    created_at: Mapped[Now]


class ProductBlockTable(Base):
    """A kind of block."""

    __tablename__ = "product_blocks"
    __table_args__ = (
        CheckConstraint("status IN ('active','pre production','phase out','end of life')", name="status"),
        UniqueConstraint("name"),
    )

    product_block_id: Mapped[PublicId]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    tag: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="active")
    created_at: Mapped[Now]
    end_date: Mapped[datetime | None]

    resource_types: Mapped[list[ResourceTypeTable]] = relationship(
        secondary=product_block_resource_types, order_by="ResourceTypeTable.resource_type"
    )


class ResourceTypeTable(Base):
    """A named value that blocks can carry."""

    __tablename__ = "resource_types"
    __table_args__ = (UniqueConstraint("resource_type"),)

    resource_type_id: Mapped[PublicId]
    resource_type: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")


class ProductBlockRelationTable(Base):
    """Blocks of the first kind may refer to blocks of the second."""

    __tablename__ = "product_block_relations"

    in_use_by_id: Mapped[UUID] = mapped_column(
        ForeignKey("product_blocks.product_block_id", ondelete="CASCADE"), primary_key=True
    )
    depends_on_id: Mapped[UUID] = mapped_column(
        ForeignKey("product_blocks.product_block_id", ondelete="CASCADE"), primary_key=True, index=True
    )
