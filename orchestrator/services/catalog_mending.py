"""The calls of a data revision that mend differences of the catalog, up and down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never
from uuid import UUID, uuid5

from orchestrator.domain import catalog_differences as differences
from orchestrator.domain.catalog_in_code import TASKS, CodeBlock, CodeCatalog, CodeField, CodeProduct, CodeWorkflow
from orchestrator.language.vocabulary import Target
from orchestrator.services.catalog_choices import Chosen, Names, Rename
from orchestrator.services.catalog_conversions import Conversion
from orchestrator.storage.revision_text import Call, Variable

Pair = tuple[Call, Call | None]

_NAMESPACE: Final = UUID("3f6c0a52-6b0e-5d5b-9a7e-0d1c7b1f6a44")
_REVISION: Final = Variable("revision")
# What goes makes room for what comes, and links need both of their ends.
_ORDER: Final = (
    "rename_product",
    "rename_product_block",
    "rename_workflow",
    "rename_fixed_input",
    "rename_resource_type",
    "unlink_workflow",
    "unlink_product_blocks",
    "unrelate_product_blocks",
    "retire_resource_type",
    "retire_fixed_input",
    "retire_workflow",
    "retire_product",
    "retire_product_block",
    "create_product_block",
    "add_resource_type",
    "convert_values",
    "state_type",
    "fill_values",
    "relate_product_blocks",
    "create_product",
    "update_product",
    "link_product_blocks",
    "create_fixed_inputs",
    "update_fixed_inputs",
    "create_workflow",
    "update_workflow",
    "link_workflow",
)


@dataclass(frozen=True)
class Mending:
    """The calls of the way up, and those of the way down."""

    up: tuple[Call, ...]
    down: tuple[Call, ...]


class Writer:
    """Writes the calls for differences that nothing is open about."""

    def __init__(
        self, code: CodeCatalog, chosen: Chosen, conversions: Mapping[Names, Conversion], previous: str | None
    ) -> None:
        """`previous` is the revision below. It is part of the ids, so that a name can be used again after a rename."""
        self._code = code
        self._chosen = chosen
        self._conversions = conversions
        self._previous = previous or "base"

    def mend(self) -> Mending:
        """All calls, in an order in which they can be made."""
        pairs = [self._renamed(rename) for rename in self._chosen.renames]
        pairs += [pair for one in self._chosen.differences for pair in self._mended(one)]
        pairs.sort(key=lambda pair: _ORDER.index(pair[0].function))
        downs = tuple(down for _, down in reversed(pairs) if down is not None)
        return Mending(tuple(up for up, _ in pairs), downs)

    def _renamed(self, rename: Rename) -> Pair:
        owner, old, new = rename.owner, rename.old, rename.new
        match rename.kind:
            case "resource type":
                known = self._chosen.stored.resource_types
                ids = {"resource_type_id": self._id("resource type", new)}, {"resource_type_id": known[old]}
                up = Call("rename_resource_type", (owner, old, new), ids[0])
                return up, Call("rename_resource_type", (owner, new, old), ids[1])
            case "fixed input":
                return _both_ways("rename_fixed_input", (owner, old, new), "rename_fixed_input", (owner, new, old))
            case kind:
                function = "rename_product_block" if kind == "block" else f"rename_{kind}"
                return _both_ways(function, (old, new), function, (new, old))

    def _mended(self, difference: differences.CatalogDifference) -> Iterator[Pair]:
        match difference:
            case differences.ProductMissing(product):
                yield self._new_product(product)
            case differences.ProductExtra(gone_product):
                yield _retired("product", gone_product.name)
            case differences.ProductDiffers(name, attribute, in_code, in_database):
                yield (
                    Call("update_product", (name,), {attribute: in_code}),
                    Call("update_product", (name,), {attribute: in_database}),
                )
            case differences.FixedInputMissing(name, key, value):
                entry = {key: (value, self._id("fixed input", f"{name}.{key}"))}
                yield _both_ways("create_fixed_inputs", (name, entry), "delete_fixed_inputs", (name, [key]))
            case differences.FixedInputExtra(name, key, _):
                yield _retired("fixed_input", name, key)
            case differences.FixedInputDiffers(name, key, in_code, in_database):
                function = "update_fixed_inputs"
                yield _both_ways(function, (name, {key: in_code}), function, (name, {key: in_database}))
            case differences.ProductBlockMissing(name, part):
                yield _both_ways("link_product_blocks", (name, [part]), "unlink_product_blocks", (name, [part]))
            case differences.ProductBlockExtra(name, part):
                yield _both_ways("unlink_product_blocks", (name, [part]), "link_product_blocks", (name, [part]))
            case differences.BlockMissing(block):
                yield from self._new_block(block)
            case differences.BlockExtra(gone_block):
                yield _retired("product_block", gone_block.name)
            case differences.RelationMissing(name, other):
                yield _both_ways("relate_product_blocks", (name, [other]), "unrelate_product_blocks", (name, [other]))
            case differences.RelationExtra(name, other):
                yield _both_ways("unrelate_product_blocks", (name, [other]), "relate_product_blocks", (name, [other]))
            case differences.ResourceTypeMissing(name, field, _):
                yield from self._new_resource_type(name, field)
            case differences.ResourceTypeExtra(name, key, _, _):
                yield _retired("resource_type", name, key)
            case differences.ResourceTypeDiffers():
                yield from self._other_type(difference)
            case differences.ValuesMissing(name, field, _):
                yield Call("fill_values", (name, field.name, self._chosen.defaults[name, field.name])), None
            case differences.WorkflowMissing(workflow):
                yield self._new_workflow(workflow)
            case differences.WorkflowExtra(gone_workflow):
                yield _retired("workflow", gone_workflow.name)
            case differences.WorkflowDiffers(name, attribute, code_value, stored_value):
                yield (
                    Call("update_workflow", (name,), {attribute: code_value}),
                    Call("update_workflow", (name,), {attribute: stored_value}),
                )
            case differences.WorkflowProductMissing(name, product_name):
                yield _both_ways("link_workflow", (name, [product_name]), "unlink_workflow", (name, [product_name]))
            case differences.WorkflowProductExtra(name, product_name):
                yield _both_ways("unlink_workflow", (name, [product_name]), "link_workflow", (name, [product_name]))
            case differences.WorkflowWithoutProduct() | differences.ProductWithoutWorkflows():
                pass  # the code has to say more
            case _:
                assert_never(difference)

    def _new_product(self, product: CodeProduct) -> Pair:
        facts = product.facts
        product_type = facts.product_type or product.model
        words: dict[str, Any] = {
            "name": product.name,
            "product_id": self._id("product", product.name),
            "product_type": product_type,
            "tag": facts.tag or product_type,
            "description": facts.description or "",
            "fixed_inputs": {
                key: (value, self._id("fixed input", f"{product.name}.{key}"))
                for key, value in sorted(product.fixed_inputs.items())
            },
            "product_blocks": sorted(product.blocks),
        }
        return Call("create_product", (), _without_empty(words)), Call("delete_product", (), {"name": product.name})

    def _new_block(self, block: CodeBlock) -> Iterator[Pair]:
        fields = block.fields.values()
        words: dict[str, Any] = {
            "name": block.name,
            "product_block_id": self._id("product block", block.name),
            "resource_types": {
                field.name: (field.description, self._id("resource type", field.name)) for field in fields
            },
            "value_types": {field.name: field.type_name for field in fields},
        }
        yield (
            Call("create_product_block", (), _without_empty(words)),
            Call("delete_product_block", (), {"name": block.name}),
        )
        if block.depends_on:
            yield Call("relate_product_blocks", (block.name, sorted(block.depends_on))), None

    def _new_resource_type(self, block: str, field: CodeField) -> Iterator[Pair]:
        has_default = (block, field.name) in self._chosen.defaults
        words = {
            "description": field.description,
            "resource_type_id": self._id("resource type", field.name),
            "needed_in": [] if has_default else sorted(field.needed_while_live),
        }
        place = (_REVISION, block, field.name)
        yield (
            Call("add_resource_type", (*place, field.type_name), _without_empty(words)),
            Call("withdraw_resource_type", place),
        )
        if has_default:
            yield Call("fill_values", (block, field.name, self._chosen.defaults[block, field.name])), None

    def _other_type(self, difference: differences.ResourceTypeDiffers) -> Iterator[Pair]:
        block, field = difference.block, difference.field
        place = (block, field.name)
        conversion = self._conversions[place]
        if conversion.up is not None:
            function = "convert_values"
            yield _both_ways(function, (*place, conversion.up), function, (*place, conversion.down))
        before = difference.in_database if difference.is_stated else None
        yield _both_ways("state_type", (*place, field.type_name), "state_type", (*place, before))

    def _new_workflow(self, workflow: CodeWorkflow) -> Pair:
        same: dict[str, Any] = {
            "name": workflow.name,
            "target": workflow.target,
            "products": sorted(self._code.products_of(workflow) or ()),
        }
        new: dict[str, Any] = {"description": workflow.description}
        if workflow.is_task != (Target(workflow.target) in TASKS):
            new["is_task"] = workflow.is_task
        if workflow.name not in self._chosen.stored.deleted:  # what comes back has an id already
            new["workflow_id"] = self._id("workflow", workflow.name)
        return (
            Call("create_workflow", (), _without_empty({**same, **new})),
            Call("delete_workflow", (), _without_empty(same)),
        )

    def _id(self, kind: str, name: str) -> UUID:
        return uuid5(_NAMESPACE, f"{self._previous} {kind} {name}")


def _both_ways(up: str, up_words: tuple[Any, ...], down: str, down_words: tuple[Any, ...]) -> Pair:
    return Call(up, up_words), Call(down, down_words)


def _retired(what: str, *names: str) -> Pair:
    words = (_REVISION, *names)
    return _both_ways(f"retire_{what}", words, f"restore_{what}", words)


def _without_empty(words: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in words.items() if value not in ("", [], {})}
