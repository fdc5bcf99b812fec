"""From differences and choices to the calls of a data revision, or to what has to be known first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from orchestrator.domain.catalog_differences import (
    ProductWithoutWorkflows,
    ResourceTypeDiffers,
    WorkflowWithoutProduct,
)
from orchestrator.errors import ConflictError
from orchestrator.language.catalog import Catalog
from orchestrator.services.catalog_check import ComparedCatalog, compare_catalog
from orchestrator.services.catalog_choices import Choices, Chosen, Names, read_choices
from orchestrator.services.catalog_conversions import Conversion, conversion_for
from orchestrator.services.catalog_mending import Mending, Writer
from orchestrator.services.catalog_questions import (
    Answer,
    DefaultQuestion,
    GoneQuestion,
    Obstacle,
    Question,
    questions_about,
)
from orchestrator.services.catalog_sentences import Sentence, sentence_of
from orchestrator.storage.catalog_reading import read_values
from orchestrator.storage.migrating import Migrations


@dataclass(frozen=True)
class Plan:
    """The calls of a revision; not to be written while questions are open."""

    mending: Mending
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Written:
    """The file, None when there was nothing to write; and what is left that only the code can settle."""

    file: Path | None
    left: tuple[Sentence, ...]


Ask = Callable[[GoneQuestion | DefaultQuestion], Answer]


def write_revision(
    migrations: Migrations,
    catalog: Catalog,
    message: str,
    choices: Choices,
    *,
    package: str | None = None,
    ask: Ask | None = None,
) -> Written:
    """Write the data revision that makes the database's catalog that of the code; no file when it is that already.

    Args:
        migrations: of the database that is compared with.
        catalog: what the code registers.
        message: what the revision does, in a few words.
        choices: what was renamed, what may go, what fills in.
        package: the catalog package that gets the file, when there are several.
        ask: asks a person for what choices leave open; without it that is refused.

    Raises:
        ConflictError: the database lacks migrations, or something is open that choices have to say.
        InvalidInputError: a choice fits no difference.
        MigrationError: the package cannot be written to, or somebody else has written a revision meanwhile.
    """
    with migrations.connection() as connection:
        previous = migrations.newest(package)
        migrations.require_up_to_date(connection)
        compared = compare_catalog(connection, catalog)
        plan = plan_revision(connection, compared, choices, previous)
        while ask is not None and (question := _next_question(plan)):
            connection.rollback()  # nothing is held while a person thinks
            choices = ask(question).given(choices)
            plan = plan_revision(connection, compared, choices, previous)
    if plan.questions:
        raise ConflictError(refusal(plan.questions))
    up, down = plan.mending.up, plan.mending.down
    file = migrations.write_revision(message, up, down, previous, package) if up else None
    left = [one for one in compared.differences if isinstance(one, WorkflowWithoutProduct | ProductWithoutWorkflows)]
    return Written(file, tuple(map(sentence_of, left)))


def _next_question(plan: Plan) -> GoneQuestion | DefaultQuestion | None:
    """What to ask first; nothing, when something stands in the way that nobody can answer."""
    if any(isinstance(one, Obstacle) for one in plan.questions):
        return None
    return next((one for one in plan.questions if not isinstance(one, Obstacle)), None)


def plan_revision(connection: Connection, compared: ComparedCatalog, choices: Choices, previous: str | None) -> Plan:
    """Plan the revision that makes the database's catalog that of the code.

    Args:
        connection: to the database, to look at values whose type has changed.
        compared: what differs.
        choices: what was renamed, what may go, what fills in.
        previous: the revision that it will follow, None when it is the first.

    Raises:
        InvalidInputError: a choice fits no difference.
    """
    chosen = read_choices(choices, compared.code, compared.stored)
    questions = list(questions_about(chosen, compared.code))
    conversions: dict[Names, Conversion] = {}
    for one in chosen.differences:
        if isinstance(one, ResourceTypeDiffers):
            found = conversion_for(one, read_values(connection, *_before(chosen, one.block, one.field.name)))
            if isinstance(found, Obstacle):
                questions.append(found)
            else:
                conversions[one.block, one.field.name] = found
    if questions:
        return Plan(Mending((), ()), tuple(questions))
    return Plan(Writer(compared.code, chosen, conversions, previous).mend(), ())


def refusal(questions: Sequence[Question]) -> str:
    """Everything that is open, in words, with the options that would settle it."""
    return "\n".join(["The revision is not written, because this is open:", *(f"- {_told(one)}" for one in questions)])


def _told(question: Question) -> str:
    match question:
        case GoneQuestion(says, answers):
            return " ".join([says, "Give", " or ".join(f"{one.option} ({one.says})" for one in answers) + "."])
        case DefaultQuestion():
            return f"{question.says} Give {question.answer('JSON').option}."
        case Obstacle(says):
            return says


def _before(chosen: Chosen, block: str, name: str) -> Names:
    """What a resource type is called as long as nothing is renamed."""
    for rename in chosen.renames:
        if (rename.kind, rename.owner, rename.new) == ("resource type", block, name):
            name = rename.old
    for rename in chosen.renames:
        if (rename.kind, rename.new) == ("block", block):
            block = rename.old
    return block, name
