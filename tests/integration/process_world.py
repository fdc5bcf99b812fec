"""A small world for tests of the process services: a product, workflows that use forms in every way, a real runner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import Field, model_validator
from sqlalchemy import text

from orchestrator.domain.registry import use_products
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.engine.bell import Ring
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.language.actions import Retry
from orchestrator.language.admission import AuthContext, RunPredicateFail, RunPredicatePass
from orchestrator.language.catalog import Catalog
from orchestrator.language.forms import FormGenerator, FormPage, SubmitFormPage
from orchestrator.language.steps import begin, focussteps, init, inputstep, step, store_process_subscription
from orchestrator.language.timers import sleep_for
from orchestrator.language.vocabulary import Actor, State, SubscriptionLifecycle, UUIDstr
from orchestrator.language.workflows import (
    create_workflow,
    modify_workflow,
    task,
    terminate_workflow,
    validate_workflow,
    workflow,
)
from orchestrator.migrations.catalog import create
from orchestrator.migrations.catalog import create_workflow as insert_workflow
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from tests.integration.engine.engine_on_test import LIMITS
from tests.integration.told_states import check_states

OPERATOR = Actor("operator")


class Port(SubscriptionModel, is_base=True):
    """A product without blocks."""


class NamePage(FormPage):
    name: Annotated[str, Field(min_length=2)]
    size: int = 1


class ConfirmPage(SubmitFormPage):
    sure: bool

    @model_validator(mode="after")
    def must_be_sure(self) -> ConfirmPage:
        if not self.sure:
            raise ValueError("Be sure first")
        return self


def port_form(product_name: str, state: State) -> FormGenerator:
    """Two pages; the second sees what was entered on the first through the state."""
    named = yield NamePage
    assert state["name"] == named.name
    confirmed = yield ConfirmPage
    return {**named.model_dump(), **confirmed.model_dump(), "product_said": product_name}


@step("Make the port")
def make_port(product: UUIDstr, name: str) -> State:
    port = Port.from_product_id(product, "customer-1")
    port.description = name
    return {"subscription": port, "subscription_id": port.subscription_id}


@create_workflow("Create a port", initial_input_form=port_form)
def create_port() -> Any:
    return begin >> make_port >> store_process_subscription()


@step("Fails while told to")
def may_fail(state: State) -> State:
    if FAULTS:
        raise RuntimeError(FAULTS.pop())
    return {"worked": True}


FAULTS: list[str] = []


@inputstep("Ask for the colour", assignee="NOC")
def ask_colour(subscription: Port) -> type[FormPage]:
    class ColourPage(SubmitFormPage):
        colour: str = subscription.description

    return ColourPage


@modify_workflow("Modify a port")
def modify_port() -> Any:
    return begin >> ask_colour >> may_fail


@validate_workflow("Validate a port")
def validate_port() -> Any:
    return begin >> may_fail


@terminate_workflow("Terminate a port")
def terminate_port() -> Any:
    return begin >> may_fail


@task("A task without a form")
def plain_task() -> Any:
    return begin >> may_fail


def answer_form() -> FormGenerator:
    page = yield NamePage
    return {"answer": page.name, "process_id": "mine", "reporter": "me"}


@inputstep("Ask for the end", assignee="CHANGES")
def ask_end(first: str) -> FormGenerator:
    one = yield NamePage
    two = yield ConfirmPage
    return {"end": one.name, "sure": two.sure, "from": first}


@step("Set the inner object")
def set_inner() -> State:
    return {"inner": {"first": "one"}}


@workflow("Ends with input inside an object", initial_input_form=answer_form)
def ends_with_input() -> Any:
    return init >> set_inner >> focussteps("inner")(ask_end)


def only_alice(asked: AuthContext) -> bool:
    ASKED.append(asked)
    return asked.user.name == "alice"


async def only_bob(asked: AuthContext) -> bool:
    return asked.user.name == "bob"


ASKED: list[AuthContext] = []


@step("Fails", retry_auth_callback=only_bob)
def fails_for_bob() -> State:
    raise RuntimeError("for bob")


@task("Alice starts, Bob retries", authorize_callback=only_alice)
def guarded_task() -> Any:
    return begin >> fails_for_bob


def no_other(context: Any) -> RunPredicatePass | RunPredicateFail:
    running = db.session.execute(text("SELECT count(*) FROM processes WHERE status <> 'completed'")).scalar_one()
    return RunPredicateFail(f"{running} processes run") if running else RunPredicatePass()


@task("One at a time", run_predicate=no_other)
def lonely_task() -> Any:
    return begin >> may_fail


def unstorable_form() -> FormGenerator:
    yield NamePage
    return {"numbers": {1, 2}}


@task("Its form returns a set", initial_input_form=unstorable_form)
def unstorable_task() -> Any:
    return begin >> may_fail


@step("Asks again", retry=Retry(attempts=3, wait=60, jitter=0))
def asks_again() -> State:
    if FAULTS:
        raise RuntimeError(FAULTS.pop(0))
    return {"answered": True}


@task("Is tried again by itself")
def retried_task() -> Any:
    return begin >> asks_again >> sleep_for(3600)


ON_PRODUCT = {
    "create_port": "CREATE",
    "modify_port": "MODIFY",
    "validate_port": "SYSTEM",
    "terminate_port": "TERMINATE",
}
ALONE = (
    "plain_task",
    "ends_with_input",
    "guarded_task",
    "lonely_task",
    "unstorable_task",
    "retried_task",
    "has_no_code",
)


@dataclass
class SilentBell:
    """Stands for the workers: keeps what was rung."""

    rings: list[Ring] = field(default_factory=list)

    def ring(self, rings: Sequence[Ring]) -> int:
        """Keep them."""
        self.rings.extend(rings)
        return len(rings)


@dataclass
class World:
    """The context of the services, a bell that keeps what was rung, and a runner that follows it."""

    context: Context
    bell: SilentBell
    runner: StepRunner
    product_id: UUID

    def run(self) -> None:
        """Follow all bells that were rung until nothing is left to run."""
        while self.bell.rings:
            report = self.runner.run(self.bell.rings.pop(0).seq)
            if report is not None and report.ring is not None:
                self.bell.rings.append(report.ring)

    def query(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement, on a connection apart."""
        with self.context.database.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def subscription(
        self, status: SubscriptionLifecycle = SubscriptionLifecycle.ACTIVE, *, insync: bool = True
    ) -> UUID:
        """A port that is there already."""
        with self.context.database.transaction("tests"):
            port = Port.from_product_id(self.product_id, "customer-1", status, "A port", insync=insync)
            port.save()
            return port.subscription_id


@contextmanager
def process_world(database: Database, database_url: str) -> Iterator[World]:
    """The world on this database."""
    catalog = Catalog()
    catalog.add_product("Port", Port)
    for one in (
        create_port,
        modify_port,
        validate_port,
        terminate_port,
        plain_task,
        ends_with_input,
        guarded_task,
        lonely_task,
        unstorable_task,
        retried_task,
    ):
        catalog.add_workflow(one)
    use_products(catalog.products)
    with database.engine.begin() as connection:
        create(connection, {"products": {"Port": {"product_type": "Port", "tag": "PORT"}}})
        for name, target in ON_PRODUCT.items():
            insert_workflow(connection, {"name": name, "target": target, "tag": "PORT", "description": name})
        for name in ALONE:
            insert_workflow(connection, {"name": name, "target": "SYSTEM", "description": name})
        product_id = connection.execute(text("SELECT product_id FROM products")).scalar_one()
    bell = SilentBell()
    worker = WorkerConnection(database_url, "test")
    context = Context(database=database, catalog=catalog, bell=bell, settings=Settings())
    FAULTS.clear()
    ASKED.clear()
    try:
        yield World(context, bell, StepRunner(worker, catalog, LIMITS), product_id)
        check_states(database)
    finally:
        worker.discard()
        use_products({})


def unknown_id() -> UUID:
    """An id that nothing has."""
    return uuid4()
