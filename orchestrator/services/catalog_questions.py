"""What has to be known before a revision of the catalog is written, so that no value goes without being asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.domain.catalog_differences import (
    BlockExtra,
    BlockMissing,
    CatalogDifference,
    FixedInputExtra,
    FixedInputMissing,
    ProductExtra,
    ProductMissing,
    ResourceTypeExtra,
    ResourceTypeMissing,
    ValuesMissing,
    WorkflowExtra,
    WorkflowMissing,
)
from orchestrator.domain.catalog_in_code import CodeCatalog, CodeField
from orchestrator.services.catalog_choices import Choices, Chosen


@dataclass(frozen=True)
class Answer:
    """One way on: in words, and as the choice that it is."""

    says: str
    choice: str
    text: str

    @property
    def option(self) -> str:
        """As it stands on the command line."""
        return f"--{self.choice.replace('_', '-')} {_shell(self.text)}"

    def given(self, choices: Choices) -> Choices:
        """The choices with this one."""
        return choices.add(self.choice, self.text)


@dataclass(frozen=True)
class GoneQuestion:
    """Something that is in use is gone from the code: which of these has become of it?"""

    says: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class DefaultQuestion:
    """Live subscriptions need a value that they do not have: which one?"""

    block: str
    field: CodeField
    lacking: int

    @property
    def says(self) -> str:
        """The question in words."""
        return (
            f"{self.lacking} live {'block' if self.lacking == 1 else 'blocks'} {self.block!r} must have a value of "
            f"{self.field.name!r} ({self.field.type_name})."
        )

    def answer(self, value: str) -> Answer:
        """The answer with this JSON."""
        return Answer("fill in a value", "default", f"{self.block}.{self.field.name}={value}")


@dataclass(frozen=True)
class Obstacle:
    """Something that no choice can settle; `says` names what would."""

    says: str


Question = GoneQuestion | DefaultQuestion | Obstacle


def questions_about(chosen: Chosen, code: CodeCatalog) -> tuple[Question, ...]:
    """Everything that is open with these choices; what was renamed comes first, as it may settle what fills in."""
    found = [question for one in chosen.differences for question in _about(one, chosen, code)]
    return tuple(sorted(found, key=lambda one: isinstance(one, DefaultQuestion)))


def _about(one: CatalogDifference, chosen: Chosen, code: CodeCatalog) -> Iterator[Question]:
    others = chosen.differences
    match one:
        case ProductExtra(product) if number := sum(product.subscriptions.values()):
            new = [other.product.name for other in others if isinstance(other, ProductMissing)]
            what = f"The product {product.name!r} is gone from the code, but has {number} subscriptions."
            yield from _renamed_or_stuck(what, "rename_product", product.name, new)
        case BlockExtra(block) if number := sum(block.instances.values()):
            new = [other.block.name for other in others if isinstance(other, BlockMissing)]
            what = f"The block {block.name!r} is gone from the code, but subscriptions have {number} of it."
            yield from _renamed_or_stuck(what, "rename_block", block.name, new)
        case ResourceTypeExtra(block, name, holding, kinds) if (
            holding and (block, name) not in chosen.removed_resource_types
        ):
            alike = [
                other.field.name
                for other in others
                if isinstance(other, ResourceTypeMissing) and other.block == block and kinds <= other.field.kinds
            ]
            yield GoneQuestion(
                f"The code has no {block}.{name} any more, of which subscriptions hold {holding} values.",
                (
                    *(_renamed(f"{block}.{name}", "rename_resource_type", to) for to in alike),
                    Answer(
                        "take it away, and keep the values for going back", "remove_resource_type", f"{block}.{name}"
                    ),
                ),
            )
        case WorkflowExtra(workflow) if (
            workflow.unfinished or workflow.schedules
        ) and workflow.name not in chosen.removed_workflows:
            alike = [
                other.workflow.name
                for other in others
                if isinstance(other, WorkflowMissing) and other.workflow.is_task == workflow.is_task
            ]
            yield GoneQuestion(
                f"The workflow {workflow.name!r} is gone from the code, but has {workflow.unfinished} processes that "
                f"are not finished, and {workflow.schedules} schedules.",
                (
                    *(_renamed(workflow.name, "rename_workflow", to) for to in alike),
                    Answer("take it out; they will lack their code", "remove_workflow", workflow.name),
                ),
            )
        case ResourceTypeMissing(block, field, lacking) | ValuesMissing(block, field, lacking) if (
            lacking and (block, field.name) not in chosen.defaults
        ):
            yield DefaultQuestion(block, field, lacking)
        case FixedInputMissing(product, name, None):
            gone = [other.name for other in others if isinstance(other, FixedInputExtra) and other.product == product]
            says = _unknown_value(product, name)
            if gone:
                answers = tuple(_renamed(f"{product}.{old}", "rename_fixed_input", name) for old in gone)
                yield GoneQuestion(says, answers)
            else:
                yield Obstacle(says)
        case ProductMissing(product):
            for name, value in product.fixed_inputs.items():
                if value is None:
                    yield Obstacle(_unknown_value(product.name, name))
        case WorkflowMissing(workflow) if code.products_of(workflow) is None:
            yield Obstacle(
                f"For which products is the new workflow {workflow.name!r}? Say it in the code: "
                f"catalog.add_workflow({workflow.name}, products=[...])."
            )


def _renamed(old: str, choice: str, new: str) -> Answer:
    return Answer(f"it is called {new} now", choice, f"{old}={new}")


def _renamed_or_stuck(what: str, choice: str, old: str, new: Iterable[str]) -> Iterator[Question]:
    answers = tuple(_renamed(old, choice, to) for to in new)
    if answers:
        yield GoneQuestion(what, answers)
    else:
        yield Obstacle(f"{what} Keep its code, or first set the status of the product to 'end of life'.")


def _unknown_value(product: str, name: str) -> str:
    return (
        f"Which value has the fixed input {name!r} of the product {product!r}? Say it in the code: "
        f"catalog.add_product({product!r}, ..., fixed_inputs={{{name!r}: ...}})."
    )


def _shell(text: str) -> str:
    escaped = "".join(f"\\{one}" if one in '\\"$`' else one for one in text)
    return f'"{escaped}"'
