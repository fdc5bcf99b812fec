"""What code and database can know differently about the catalog: one frozen class for each kind of difference."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.catalog_in_code import CodeBlock, CodeField, CodeProduct, CodeWorkflow
from orchestrator.storage.catalog_reading import StoredBlock, StoredProduct, StoredWorkflow


@dataclass(frozen=True)
class ProductMissing:
    """The code has a product that the database does not know."""

    product: CodeProduct


@dataclass(frozen=True)
class ProductExtra:
    """The database has a product that no code registers."""

    product: StoredProduct


@dataclass(frozen=True)
class ProductDiffers:
    """`product_type`, `tag` or `description` of a product is another one than the code says."""

    product: str
    attribute: str
    in_code: str
    in_database: str


@dataclass(frozen=True)
class FixedInputMissing:
    """A product lacks a fixed input; `value` is None where the code does not say it."""

    product: str
    name: str
    value: str | None


@dataclass(frozen=True)
class FixedInputExtra:
    """A product has a fixed input that its model does not have."""

    product: str
    name: str
    value: str


@dataclass(frozen=True)
class FixedInputDiffers:
    """A fixed input has another value than the code says."""

    product: str
    name: str
    in_code: str
    in_database: str


@dataclass(frozen=True)
class ProductBlockMissing:
    """A product is not linked to a root block of its model."""

    product: str
    block: str


@dataclass(frozen=True)
class ProductBlockExtra:
    """A product is linked to a block that its model does not reach."""

    product: str
    block: str


@dataclass(frozen=True)
class BlockMissing:
    """A model has a block that the database does not know."""

    block: CodeBlock


@dataclass(frozen=True)
class BlockExtra:
    """The database has a block that no product's model reaches."""

    block: StoredBlock


@dataclass(frozen=True)
class RelationMissing:
    """A block may refer to another in the code, and not in the database."""

    block: str
    depends_on: str


@dataclass(frozen=True)
class RelationExtra:
    """A block may refer to another in the database, and not in the code."""

    block: str
    depends_on: str


@dataclass(frozen=True)
class ResourceTypeMissing:
    """A block lacks a resource type; `lacking` live blocks will need a value of it."""

    block: str
    field: CodeField
    lacking: int


@dataclass(frozen=True)
class ResourceTypeExtra:
    """A block has a resource type that its model does not have; `holding` blocks have a value of it."""

    block: str
    name: str
    holding: int
    kinds: frozenset[str]


@dataclass(frozen=True)
class ResourceTypeDiffers:
    """A resource type is of another type than in the code.

    `in_database` is what a revision said, or, with `is_stated` false, the kinds of JSON of the values that are there.
    """

    block: str
    field: CodeField
    in_database: str
    is_stated: bool
    kinds: frozenset[str]


@dataclass(frozen=True)
class ValuesMissing:
    """So many live blocks lack a value that the model needs in the status of their subscription."""

    block: str
    field: CodeField
    lacking: int


@dataclass(frozen=True)
class WorkflowMissing:
    """The code has a workflow that the database does not know."""

    workflow: CodeWorkflow


@dataclass(frozen=True)
class WorkflowExtra:
    """The database has a workflow that no code registers."""

    workflow: StoredWorkflow


@dataclass(frozen=True)
class WorkflowDiffers:
    """`target`, `description` or `is_task` of a workflow is another one than in the code."""

    workflow: str
    attribute: str
    in_code: str | bool
    in_database: str | bool


@dataclass(frozen=True)
class WorkflowProductMissing:
    """A workflow is not linked to a product that the code says it is for."""

    workflow: str
    product: str


@dataclass(frozen=True)
class WorkflowProductExtra:
    """A workflow is linked to a product that the code does not say it is for."""

    workflow: str
    product: str


@dataclass(frozen=True)
class WorkflowWithoutProduct:
    """A workflow that acts on subscriptions is linked to no product, so that it can never be started."""

    workflow: str


@dataclass(frozen=True)
class ProductWithoutWorkflows:
    """No workflow is for this product."""

    product: str


CatalogDifference = (
    ProductMissing
    | ProductExtra
    | ProductDiffers
    | FixedInputMissing
    | FixedInputExtra
    | FixedInputDiffers
    | ProductBlockMissing
    | ProductBlockExtra
    | BlockMissing
    | BlockExtra
    | RelationMissing
    | RelationExtra
    | ResourceTypeMissing
    | ResourceTypeExtra
    | ResourceTypeDiffers
    | ValuesMissing
    | WorkflowMissing
    | WorkflowExtra
    | WorkflowDiffers
    | WorkflowProductMissing
    | WorkflowProductExtra
    | WorkflowWithoutProduct
    | ProductWithoutWorkflows
)
