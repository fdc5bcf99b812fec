"""A task of the tests' world and one with forms that fail, as a catalog that commands can load."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from orchestrator.language.catalog import Catalog
from orchestrator.language.forms import FormGenerator, FormPage
from orchestrator.language.steps import begin, inputstep
from orchestrator.language.workflows import task
from tests.integration.process_world import plain_task


@inputstep("Ask", assignee="NOC")
def asks_wrongly(state: dict[str, Any]) -> FormGenerator:
    yield state["colour"]


@task("Waits at a form that fails")
def ask_wrongly() -> Any:
    return begin >> asks_wrongly


def starts_wrongly() -> FormGenerator:
    raise RuntimeError("the inventory is closed")
    yield


@task("Starts with a form that fails", initial_input_form=starts_wrongly)
def start_wrongly() -> Any:
    return begin


def only_defaults() -> FormGenerator:
    class VlanPage(FormPage):
        vlan: int = Field(7, ge=2, le=4094)

    class SurePage(FormPage):
        ticket: str = Field(pattern="^CHG-")
        sure: Literal[True]

    yield VlanPage
    yield SurePage
    return {}


@task("Asks for what it has defaults for", initial_input_form=only_defaults)
def ask_only_defaults() -> Any:
    return begin


def register(catalog: Catalog) -> None:
    """Register them."""
    for workflow in (plain_task, ask_wrongly, start_wrongly, ask_only_defaults):
        catalog.add_workflow(workflow)
