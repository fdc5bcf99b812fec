"""Differences of the catalog in words: what differs, where, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from orchestrator.domain import catalog_differences as differences

REVISION: Final = "Write a revision: `orchestrator db revision --autogenerate`."
NO_CODE: Final = "Name its package in ORCHESTRATOR_CATALOG, or take it out: `orchestrator db revision --autogenerate`."


@dataclass(frozen=True)
class Sentence:
    """One difference: `kind` for machines, `where` like `block Node Block`, and two sentences for people."""

    kind: str
    where: str
    what: str
    mend: str


def sentence_of(difference: differences.CatalogDifference) -> Sentence:
    """The difference in words."""
    where, what, mend = _words(difference)
    return Sentence(type(difference).__name__, where, what, mend)


def _words(difference: differences.CatalogDifference) -> tuple[str, str, str]:
    match difference:
        case differences.ProductMissing(product):
            return f"product {product.name}", "The code has this product, the database does not know it.", REVISION
        case differences.ProductExtra(product):
            held = _number(sum(product.subscriptions.values()), "subscription")
            return f"product {product.name}", f"The database has this product ({held}), the code does not.", NO_CODE
        case differences.ProductDiffers(product, attribute, in_code, in_database):
            return f"product {product}", _differs(attribute, in_code, in_database), REVISION
        case differences.FixedInputMissing(product, name, value):
            return f"product {product}", f"The fixed input {name} is missing in the database.", _state_value(value)
        case differences.FixedInputExtra(product, name, value):
            what = f"The database has a fixed input {name} ({value!r}), the model does not."
            return f"product {product}", what, REVISION
        case differences.FixedInputDiffers(product, name, in_code, in_database):
            return f"product {product}", _differs(f"the fixed input {name}", in_code, in_database), REVISION
        case differences.ProductBlockMissing(product, block):
            what = f"The model has the block {block}, the database does not link it to the product."
            return f"product {product}", what, REVISION
        case differences.ProductBlockExtra(product, block):
            what = f"The database links the block {block} to the product, the model does not have it."
            return f"product {product}", what, REVISION
        case differences.BlockMissing(block):
            return f"block {block.name}", "The code has this block, the database does not know it.", REVISION
        case differences.BlockExtra(block):
            held = _number(sum(block.instances.values()), "block of subscriptions", "blocks of subscriptions")
            return f"block {block.name}", f"The database has this block ({held}), the code does not.", NO_CODE
        case differences.RelationMissing(block, depends_on):
            what = f"In the code it may refer to {depends_on}, in the database not."
            return f"block {block}", what, REVISION
        case differences.RelationExtra(block, depends_on):
            what = f"In the database it may refer to {depends_on}, in the code not."
            return f"block {block}", what, REVISION
        case differences.ResourceTypeMissing(block, field, lacking):
            needed = f"; {_number(lacking, 'live block')} will need a value" if lacking else ""
            what = f"The code has a value {field.name} ({field.type_name}), the database does not know it{needed}."
            return f"block {block}", what, REVISION
        case differences.ResourceTypeExtra(block, name, holding, _):
            what = f"The database has a resource type {name} ({_number(holding, 'value')}), the code does not."
            return f"block {block}", what, REVISION
        case differences.ResourceTypeDiffers(block, field, in_database, is_stated, _):
            stored = in_database if is_stated else f"values that are JSON of the kind {in_database}"
            what = f"{field.name} is {field.type_name} in the code, and {stored} in the database."
            return f"block {block}", what, REVISION
        case differences.ValuesMissing(block, field, lacking):
            what = f"{_number(lacking, 'live block')} lack a value of {field.name}, which the model needs."
            mend = f'Fill it in: `orchestrator db revision --autogenerate --default "{block}.{field.name}=..."`.'
            return f"block {block}", what, mend
        case differences.WorkflowMissing(workflow):
            return f"workflow {workflow.name}", "The code has this workflow, the database does not know it.", REVISION
        case differences.WorkflowExtra(workflow):
            held = _number(workflow.unfinished, "unfinished process", "unfinished processes")
            return f"workflow {workflow.name}", f"The database has this workflow ({held}), the code does not.", NO_CODE
        case differences.WorkflowDiffers(workflow, attribute, in_code, in_database):
            return f"workflow {workflow}", _differs(attribute, in_code, in_database), REVISION
        case differences.WorkflowProductMissing(workflow, product):
            what = f"In the code it is for the product {product}, in the database not."
            return f"workflow {workflow}", what, REVISION
        case differences.WorkflowProductExtra(workflow, product):
            what = f"In the database it is for the product {product}, in the code not."
            return f"workflow {workflow}", what, REVISION
        case differences.WorkflowWithoutProduct(workflow):
            what = "It is for no product, so it can never be started."
            return f"workflow {workflow}", what, 'Say for which: `catalog.add_workflow(..., products=["..."])`.'
        case differences.ProductWithoutWorkflows(product):
            what = "No workflow is for this product, so it can never be ordered."
            return f"product {product}", what, "Register a workflow that is for it."
        case _:
            assert_never(difference)


def _differs(what: str, in_code: object, in_database: object) -> str:
    return f"{what[0].upper()}{what[1:]} is {in_code!r} in the code, and {in_database!r} in the database."


def _state_value(value: str | None) -> str:
    if value is not None:
        return REVISION
    return "Say its value: `catalog.add_product(..., fixed_inputs={...})`, then write a revision."


def _number(number: int, one: str, many: str | None = None) -> str:
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"
