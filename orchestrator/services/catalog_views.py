"""What the catalog's rows look like from outside: frozen values, made while their session is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestrator.storage.tables import ProductBlockTable, ProductTable, ResourceTypeTable, WorkflowTable


@dataclass(frozen=True)
class ResourceTypeView:
    """A named value that blocks can carry."""

    resource_type_id: UUID
    resource_type: str
    description: str


@dataclass(frozen=True)
class BlockView:
    """A kind of block."""

    product_block_id: UUID
    name: str
    description: str
    tag: str
    status: str
    created_at: datetime
    end_date: datetime | None
    resource_types: tuple[ResourceTypeView, ...]


@dataclass(frozen=True)
class FixedInputView:
    """A value that all subscriptions of a product share."""

    fixed_input_id: UUID
    name: str
    value: str
    product_id: UUID
    created_at: datetime


@dataclass(frozen=True)
class WorkflowStepView:
    """A step of a workflow as the code has it."""

    name: str
    key: str
    kind: str
    assignee: str
    group: tuple[str, ...]


@dataclass(frozen=True)
class WorkflowView:
    """A workflow; `steps` is None where they were not asked for, or this server has no code for it."""

    workflow_id: UUID
    name: str
    target: str
    is_task: bool
    description: str
    created_at: datetime
    steps: tuple[WorkflowStepView, ...] | None = None


@dataclass(frozen=True)
class ProductView:
    """A product with what it is made of and the workflows that act on its subscriptions."""

    product_id: UUID
    name: str
    description: str
    product_type: str
    tag: str
    status: str
    created_at: datetime
    end_date: datetime | None
    product_blocks: tuple[BlockView, ...]
    fixed_inputs: tuple[FixedInputView, ...]
    workflows: tuple[WorkflowView, ...]


def resource_type_view(row: ResourceTypeTable) -> ResourceTypeView:
    """The resource type of a row."""
    return ResourceTypeView(row.resource_type_id, row.resource_type, row.description)


def block_view(row: ProductBlockTable) -> BlockView:
    """The block of a row, with its resource types."""
    return BlockView(
        product_block_id=row.product_block_id,
        name=row.name,
        description=row.description,
        tag=row.tag,
        status=row.status,
        created_at=row.created_at,
        end_date=row.end_date,
        resource_types=tuple(resource_type_view(one) for one in row.resource_types),
    )


def workflow_view(row: WorkflowTable, steps: tuple[WorkflowStepView, ...] | None = None) -> WorkflowView:
    """The workflow of a row."""
    return WorkflowView(
        workflow_id=row.workflow_id,
        name=row.name,
        target=row.target,
        is_task=row.is_task,
        description=row.description,
        created_at=row.created_at,
        steps=steps,
    )


def product_view(row: ProductTable) -> ProductView:
    """The product of a row, without workflows that were deleted."""
    return ProductView(
        product_id=row.product_id,
        name=row.name,
        description=row.description,
        product_type=row.product_type,
        tag=row.tag,
        status=row.status,
        created_at=row.created_at,
        end_date=row.end_date,
        product_blocks=tuple(block_view(one) for one in row.product_blocks),
        fixed_inputs=tuple(
            FixedInputView(one.fixed_input_id, one.name, one.value, one.product_id, one.created_at)
            for one in row.fixed_inputs
        ),
        workflows=tuple(workflow_view(one) for one in row.workflows if one.deleted_at is None),
    )
