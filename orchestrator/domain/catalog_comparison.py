"""Comparing the catalog that the code registers with that of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from orchestrator.domain import catalog_differences as differences
from orchestrator.domain.catalog_in_code import CodeBlock, CodeCatalog, CodeField, CodeProduct, CodeWorkflow
from orchestrator.language.vocabulary import ON_EVERY_PRODUCT, Target
from orchestrator.storage.catalog_reading import ENDED, StoredBlock, StoredCatalog, StoredProduct, StoredWorkflow


def catalog_differences(code: CodeCatalog, stored: StoredCatalog) -> tuple[differences.CatalogDifference, ...]:
    """Everything that differs, in an order that depends on names alone.

    Products at the end of their life, and their blocks, need no code.
    """
    return (*_products(code, stored), *_blocks(code, stored), *_workflows(code, stored))


def _products(code: CodeCatalog, stored: StoredCatalog) -> Iterator[differences.CatalogDifference]:
    served = {
        product
        for workflow in code.workflows.values()
        if workflow.name not in ON_EVERY_PRODUCT
        for product in (workflow.products if workflow.name in stored.workflows else code.products_of(workflow)) or ()
    }
    for name in sorted({*code.products, *stored.products}):
        wanted, present = code.products.get(name), stored.products.get(name)
        if wanted is not None and present is not None:
            yield from _product(wanted, present)
        elif wanted is not None:
            yield differences.ProductMissing(wanted)
        elif present is not None and present.status != ENDED:
            yield differences.ProductExtra(present)
        if wanted is not None and name not in served and not (present and present.workflows - ON_EVERY_PRODUCT):
            yield differences.ProductWithoutWorkflows(name)


def _product(wanted: CodeProduct, present: StoredProduct) -> Iterator[differences.CatalogDifference]:
    name, facts = wanted.name, wanted.facts
    for attribute, in_code, in_database in (
        ("product_type", facts.product_type, present.product_type),
        ("tag", facts.tag, present.tag),
        ("description", facts.description, present.description),
    ):
        if in_code is not None and in_code != in_database:
            yield differences.ProductDiffers(name, attribute, in_code, in_database)
    for key in sorted({*wanted.fixed_inputs, *present.fixed_inputs}):
        if key not in present.fixed_inputs:
            yield differences.FixedInputMissing(name, key, wanted.fixed_inputs[key])
        elif key in wanted.fixed_inputs:
            value = wanted.fixed_inputs[key]
            if value is not None and value != present.fixed_inputs[key]:
                yield differences.FixedInputDiffers(name, key, value, present.fixed_inputs[key])
        elif key not in wanted.optional:
            yield differences.FixedInputExtra(name, key, present.fixed_inputs[key])
    for block in sorted(wanted.blocks - present.blocks):
        yield differences.ProductBlockMissing(name, block)
    for block in sorted(present.blocks - wanted.reachable):
        yield differences.ProductBlockExtra(name, block)


def _blocks(code: CodeCatalog, stored: StoredCatalog) -> Iterator[differences.CatalogDifference]:
    ended = blocks_of_ended(stored)
    for name in sorted({*code.blocks, *stored.blocks}):
        wanted, present = code.blocks.get(name), stored.blocks.get(name)
        if wanted is not None and present is not None:
            yield from _block(wanted, present)
        elif wanted is not None:
            yield differences.BlockMissing(wanted)
        elif present is not None and present.status != ENDED and name not in ended:
            yield differences.BlockExtra(present)


def _block(wanted: CodeBlock, present: StoredBlock) -> Iterator[differences.CatalogDifference]:
    for name in sorted({*wanted.fields, *present.resource_types}):
        field, values = wanted.fields.get(name), present.values.get(name)
        kinds = frozenset[str]() if values is None else values.kinds
        if field is None:
            holding = 0 if values is None else sum(values.counts.values())
            yield differences.ResourceTypeExtra(wanted.name, name, holding, kinds)
            continue
        lacking = lacking_values(field, present, {} if values is None else values.counts)
        if name not in present.resource_types:
            yield differences.ResourceTypeMissing(wanted.name, field, lacking)
            continue
        stated = present.resource_types[name]
        if stated is not None and stated != field.type_name:
            yield differences.ResourceTypeDiffers(wanted.name, field, stated, True, kinds)
        elif stated is None and not kinds <= field.kinds:
            yield differences.ResourceTypeDiffers(wanted.name, field, " or ".join(sorted(kinds)), False, kinds)
        if lacking:
            yield differences.ValuesMissing(wanted.name, field, lacking)
    for block in sorted(wanted.depends_on - present.depends_on):
        yield differences.RelationMissing(wanted.name, block)
    for block in sorted(present.depends_on - wanted.depends_on):
        yield differences.RelationExtra(wanted.name, block)


def lacking_values(field: CodeField, block: StoredBlock, holding: Mapping[str, int]) -> int:
    """How many blocks lack a value of this field that the status of their subscription asks for.

    What has ended is not counted.
    """
    asked = field.needed_while_live
    return sum(number - holding.get(status, 0) for status, number in block.instances.items() if status in asked)


def blocks_of_ended(stored: StoredCatalog) -> frozenset[str]:
    """The blocks of products that are at the end of their life, with all that these blocks may refer to."""
    reached: set[str] = set()
    waiting = [block for product in stored.products.values() if product.status == ENDED for block in product.blocks]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += stored.blocks[name].depends_on
    return frozenset(reached)


def _workflows(code: CodeCatalog, stored: StoredCatalog) -> Iterator[differences.CatalogDifference]:
    for name in sorted({*code.workflows, *stored.workflows}):
        wanted, present = code.workflows.get(name), stored.workflows.get(name)
        if wanted is not None and present is not None:
            # A product that is to be created gets those that every product has.
            coming = code.products.keys() - stored.products.keys() if name in ON_EVERY_PRODUCT else frozenset()
            yield from _workflow(wanted, present, code.products, coming)
        elif wanted is not None:
            yield differences.WorkflowMissing(wanted)
        elif present is not None:
            yield differences.WorkflowExtra(present)


def _workflow(
    wanted: CodeWorkflow, present: StoredWorkflow, in_code: Collection[str], coming: Collection[str]
) -> Iterator[differences.CatalogDifference]:
    name = wanted.name
    # Of tasks the database may say whether they are SYSTEM or VALIDATE: its target wins over that of the decorator.
    if wanted.target != present.target and not (wanted.is_task and present.is_task):
        yield differences.WorkflowDiffers(name, "target", wanted.target, present.target)
    if wanted.description != present.description:
        yield differences.WorkflowDiffers(name, "description", wanted.description, present.description)
    if wanted.is_task != present.is_task:
        yield differences.WorkflowDiffers(name, "is_task", wanted.is_task, present.is_task)
    for product in sorted((wanted.products or frozenset()) - present.products - frozenset(coming)):
        yield differences.WorkflowProductMissing(name, product)
    if wanted.products is not None:
        for product in sorted((present.products & frozenset(in_code)) - wanted.products):
            yield differences.WorkflowProductExtra(name, product)
    serves_none = not wanted.products and not present.products and name not in ON_EVERY_PRODUCT
    if serves_none and wanted.target != Target.SYSTEM:
        yield differences.WorkflowWithoutProduct(name)
