"""A catalog for the tests of the workbench: a product, and a workflow for each thing that the workbench can do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import text

from orchestrator import (
    REMOVED,
    AuthContext,
    Catalog,
    FormGenerator,
    FormPage,
    ProductBlockModel,
    Retry,
    State,
    StepList,
    SubmitFormPage,
    SubscriptionLifecycle,
    SubscriptionModel,
    Target,
    UUIDstr,
    begin,
    callback_step,
    create_workflow,
    db,
    inputstep,
    modify_workflow,
    sleep_for,
    step,
    store_process_subscription,
    task,
    validate_workflow,
)

ROUTES: list[str] = []
TRIES: list[str] = []
NEEDED: list[int] = []


class BoxBlockInactive(ProductBlockModel, product_block_name="Box Block"):
    """A box that may have no size yet."""

    size: int | None = None


class BoxBlock(BoxBlockInactive, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """A box with a size."""

    size: int


class BoxInactive(SubscriptionModel, is_base=True):
    """Being made, or ended."""

    box: BoxBlockInactive


class Box(BoxInactive, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """In use."""

    box: BoxBlock


class WhosePage(FormPage):
    """For whom."""

    customer: Annotated[str, Field(min_length=2)]
    colour: Literal["red", "green"] = "red"


def box_form(product_name: str) -> FormGenerator:
    """Two pages; the second knows the first."""
    whose = yield WhosePage

    class SizePage(SubmitFormPage):
        size: int = Field(len(whose.customer), ge=1, title=f"Size of the {product_name} of {whose.customer}")

    size = yield SizePage
    return {**whose.model_dump(), **size.model_dump()}


@step("Make the box")
def make_box(product: UUIDstr, customer: str, size: int) -> State:
    """A subscription for the customer."""
    subscription = BoxInactive.from_product_id(product, customer)
    subscription.box.size = size
    subscription.description = f"A box of {size}"
    return {"subscription": subscription, "subscription_id": subscription.subscription_id}


@step("Ship it")
def ship(size: int, idempotency_key: str) -> State:
    """Say outside that it is sent, and enter it in a table of its own."""
    TRIES.append(idempotency_key)
    db.session.execute(text("INSERT INTO shipments (size) VALUES (:size)"), {"size": size})
    return {"shipped": size, "colour": REMOVED}


@create_workflow("Create a box", initial_input_form=box_form)
def create_box() -> StepList:
    """Ends active."""
    return begin >> make_box >> store_process_subscription(Target.CREATE) >> ship


@inputstep("Agree", assignee="NOC")
def agree(subscription: Box) -> FormGenerator:
    """One page."""

    class AgreePage(SubmitFormPage):
        new_size: int = Field(subscription.box.size, ge=1, le=9)

    page = yield AgreePage
    return page.model_dump()


@step("Change the size")
def change_size(subscription: Box, new_size: int) -> State:
    """As agreed."""
    subscription.box.size = new_size
    return {"subscription": subscription}


@modify_workflow("Modify a box")
def modify_box() -> StepList:
    """With consent."""
    return begin >> agree >> change_size


@step("Look at the box")
def look(subscription: Box) -> State:
    """Boxes above five fall over."""
    if subscription.box.size > 5:
        raise ValueError(f"a box of {subscription.box.size} falls over")
    return {"looked": True}


@validate_workflow("Validate a box")
def validate_box() -> StepList:
    """One check."""
    return begin >> look


@step("Ask outside")
def ask(callback_route: str) -> None:
    """Hand it the route."""
    ROUTES.append(callback_route)


@step("Look at the answer")
def take(callback_result: State) -> State:
    """Keep it."""
    return {"built": callback_result["built"]}


@task("Order something outside")
def order() -> StepList:
    """One callback."""
    return begin >> callback_step("Order", ask, take, timeout=600)


@step("Ask until it answers", retry=Retry(attempts=4, wait=60, jitter=0))
def ask_again() -> State:
    """Answers when it was asked often enough."""
    TRIES.append("asked")
    if len(TRIES) < NEEDED[0]:
        raise RuntimeError(f"no answer to question {len(TRIES)}")
    return {"asked": len(TRIES)}


@task("Be patient")
def be_patient() -> StepList:
    """Sleeps, and asks again and again."""
    return begin >> sleep_for(3600) >> ask_again


def only_alice(asked: AuthContext) -> bool:
    """Who may start it."""
    return asked.user.name == "alice" and "boss" in asked.user.roles


@task("Alice's", authorize_callback=only_alice)
def guarded() -> StepList:
    """Nothing to do."""
    return begin >> sleep_for(0)


@inputstep("Say yes", assignee="NOC")
def say_yes() -> FormGenerator:
    """One page without fields."""
    yield SubmitFormPage
    return {}


@task("Waits for a day", time_limit=86_400)
def waits_for_a_day() -> StepList:
    """Nobody comes."""
    return begin >> say_yes


def register(catalog: Catalog) -> None:
    """All of it."""
    catalog.add_product("Box", Box)
    for each in (create_box, modify_box, validate_box, order, be_patient, guarded, waits_for_a_day):
        catalog.add_workflow(each)
