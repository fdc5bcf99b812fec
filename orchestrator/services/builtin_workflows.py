"""The workflows that every installation has: tasks that keep it in order, and the note of a subscription."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from orchestrator.domain.predicates import no_running_instance
from orchestrator.errors import InconsistentDataError
from orchestrator.language.actions import Retry
from orchestrator.language.catalog import Catalog
from orchestrator.language.forms import FormGenerator, SubmitFormPage
from orchestrator.language.step_list import StepList
from orchestrator.language.steps import begin, done, init, step, store_process_subscription
from orchestrator.language.vocabulary import Actor, State, Target, UUIDstr
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import task, workflow
from orchestrator.services.catalog_check import compare_catalog
from orchestrator.services.catalog_sentences import sentence_of
from orchestrator.services.cleaning import clean_up
from orchestrator.services.context import context_in_force
from orchestrator.services.texts import MAX_NOTE_LENGTH
from orchestrator.services.validating import start_validations
from orchestrator.storage.session import db
from orchestrator.storage.validating_statements import note_of, product_types, set_note_of

# While the engine is paused nothing can be started; servers may be away for a while.
_AGAIN: Final = Retry(attempts=50, wait=10, max_wait=600)


@step("Delete old processes and runs of schedules", retry=_AGAIN)
def delete_old(process_id: UUIDstr, reporter: str) -> State:
    cleaned = clean_up(context_in_force.get(), Actor(reporter), UUID(process_id))
    return {
        "deleted_processes": cleaned.processes,
        "deleted_schedule_runs": cleaned.schedule_runs,
        "deleted_idempotency_keys": cleaned.idempotency_keys,
        "deleted_audit_entries": cleaned.audit_entries,
        "deleted_changes": cleaned.changes,
    }


@task("Delete old processes and runs of schedules", run_predicate=no_running_instance)
def task_clean_up_tasks() -> StepList:
    return begin >> delete_old


@step("Start validations", retry=_AGAIN)
def validate_all(process_id: UUIDstr, reporter: str, product_type: str | None = None) -> State:
    found = start_validations(context_in_force.get(), Actor(reporter), UUID(process_id), product_type)
    return {"validations_started": found.started, "validations_refused": found.refused}


@task("Validate all subscriptions", run_predicate=no_running_instance)
def task_validate_subscriptions() -> StepList:
    return begin >> validate_all


def type_form() -> FormGenerator:
    known = product_types(db.session)

    def there_is(product_type: str) -> str:
        if product_type not in known:
            raise ValueError(f"there is no product of this type; the types are {', '.join(known)}")
        return product_type

    class ProductTypePage(SubmitFormPage):
        model_config = ConfigDict(title="Validate subscriptions of a product type")

        product_type: Annotated[str, AfterValidator(there_is), Field(json_schema_extra={"enum": known})]

    page = yield ProductTypePage
    answer: State = page.model_dump()
    return answer


@task("Validate all subscriptions of a product type", initial_input_form=type_form)
def task_validate_product_type() -> StepList:
    return begin >> validate_all


@step("Compare the code with the database")
def compare_code() -> State:
    compared = compare_catalog(db.session.connection(), context_in_force.get().catalog)
    found = [f"{one.where}: {one.what}" for one in map(sentence_of, compared.differences)]
    if found:
        raise InconsistentDataError(f"Code and database know the catalog differently ({len(found)}). {' '.join(found)}")
    return {"differences": 0}


@task("Compare products and workflows of the code with the database", run_predicate=no_running_instance)
def task_validate_products() -> StepList:
    return begin >> compare_code


def note_form(subscription_id: UUIDstr) -> FormGenerator:
    present = note_of(db.session, UUID(subscription_id))

    class NotePage(SubmitFormPage):
        model_config = ConfigDict(title="Modify the note")

        note: Annotated[str | None, Field(max_length=MAX_NOTE_LENGTH, json_schema_extra={"format": "long"})] = present

    page = yield NotePage
    answer: State = page.model_dump()
    return answer


@step("Store the note")
def store_note(subscription_id: UUIDstr, note: str | None) -> State:
    set_note_of(db.session, UUID(subscription_id), note or None, db.origin)
    return {}


@workflow("Modify the note of a subscription", initial_input_form=note_form, target=Target.MODIFY)
def modify_note() -> StepList:
    return init >> store_process_subscription() >> store_note >> done


BUILTIN: Final[tuple[Workflow, ...]] = (
    modify_note,
    task_clean_up_tasks,
    task_validate_subscriptions,
    task_validate_products,
    task_validate_product_type,
)


def register_builtin(catalog: Catalog) -> None:
    """Register the built-in workflows, but for those of which the catalog has one of its own."""
    for one in BUILTIN:
        if one.name not in catalog.workflows:
            catalog.add_workflow(one)
