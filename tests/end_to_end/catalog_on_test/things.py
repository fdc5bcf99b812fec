"""A product as small as one can be, for what several workflows do to one subscription."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from catalog_on_test.gates import pass_through
from catalog_on_test.plain import GatePage
from orchestrator import (
    FormGenerator,
    FormPage,
    ProductBlockModel,
    State,
    StepList,
    SubscriptionLifecycle,
    SubscriptionModel,
    Target,
    UUIDstr,
    begin,
    create_workflow,
    done,
    init,
    modify_workflow,
    step,
    store_process_subscription,
    terminate_workflow,
    workflow,
)
from orchestrator.services.subscriptions import WF_USABLE_MAP, WF_USABLE_WHILE_OUT_OF_SYNC


class ThingBlockInactive(ProductBlockModel, product_block_name="Thing Block"):
    """A thing that may have no colour yet."""

    colour: str | None = None


class ThingBlock(ThingBlockInactive, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """A thing with a colour."""

    colour: str


class ThingInactive(SubscriptionModel, is_base=True):
    """Being made, or ended."""

    thing: ThingBlockInactive


class Thing(ThingInactive, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """In use."""

    thing: ThingBlock


class ColourPage(FormPage):
    """Of which colour."""

    colour: Annotated[str, Field(pattern="^[a-z]{1,20}$")]


def colour_form() -> FormGenerator:
    """One page."""
    page = yield ColourPage
    return page.model_dump()


class PaintPage(GatePage, ColourPage):
    """Of which colour, and which gate is passed before."""


def paint_form() -> FormGenerator:
    """One page."""
    page = yield PaintPage
    return page.model_dump()


@step("Make the thing")
def make_thing(product: UUIDstr, colour: str) -> State:
    """A subscription for the customer of the tests."""
    subscription = ThingInactive.from_product_id(product, "customer-on-test")
    subscription.thing.colour = colour
    subscription.description = f"A {colour} thing"
    return {"subscription": subscription, "subscription_id": subscription.subscription_id}


@create_workflow("Create a thing", initial_input_form=colour_form)
def create_thing() -> StepList:
    """Ends active."""
    return begin >> make_thing >> store_process_subscription(Target.CREATE)


@step("Paint the thing")
def paint(subscription_id: UUIDstr, gate: str, colour: str) -> State:
    """Holds the subscription until the gate is open."""
    pass_through(gate)
    subscription = Thing.from_subscription(subscription_id)
    subscription.thing.colour = colour
    return {"subscription": subscription}


@modify_workflow("Modify a thing", initial_input_form=paint_form)
def modify_thing() -> StepList:
    """Paints it."""
    return begin >> paint


@modify_workflow("Repaint a thing that is provisioning", initial_input_form=paint_form)
def repaint_thing() -> StepList:
    """The catalog says in which status it may run."""
    return begin >> paint


@step("Tell the usage maps of the worker")
def tell_maps() -> State:
    """As this worker child knows them."""
    usable = {name: [str(status) for status in statuses] for name, statuses in WF_USABLE_MAP.items()}
    return {"usable": usable, "out_of_sync": list(WF_USABLE_WHILE_OUT_OF_SYNC)}


@workflow("Note something about a thing", target=Target.MODIFY)
def note_on_thing() -> StepList:
    """May run while the thing is out of sync: the catalog says so."""
    return init >> store_process_subscription() >> tell_maps >> done


@workflow("Look at a thing", target=Target.SYSTEM)
def look_at_thing() -> StepList:
    """May run on a thing that has ended: the catalog says so."""
    return init >> store_process_subscription() >> tell_maps >> done


@terminate_workflow("Terminate a thing")
def terminate_thing() -> StepList:
    """Nothing to undo."""
    return begin
