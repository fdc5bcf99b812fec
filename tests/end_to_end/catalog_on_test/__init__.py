"""A catalog for the end-to-end tests: workflows that are slow, that fail, that write, and that do what none should.

Tests steer it through files in the folder `CATALOG_ON_TEST_FOLDER`: see `gates`.
"""

from __future__ import annotations

from catalog_on_test.bad_habits import (
    endless_death,
    lacks_a_parameter,
    listens_to_nobody,
    misbehave,
    takes_too_long,
)
from catalog_on_test.callbacks import order_outside
from catalog_on_test.deaths import dies_around_sending
from catalog_on_test.plain import ask_for_colour, fail_until_open, ten_steps, two_steps, write_ledger
from catalog_on_test.things import (
    Thing,
    create_thing,
    look_at_thing,
    modify_thing,
    note_on_thing,
    repaint_thing,
    terminate_thing,
)
from orchestrator import Catalog
from orchestrator.services.subscriptions import WF_USABLE_MAP, WF_USABLE_WHILE_OUT_OF_SYNC

WF_USABLE_MAP["repaint_thing"] = ["provisioning"]
WF_USABLE_MAP["look_at_thing"] = ["initial", "active", "terminated"]
WF_USABLE_WHILE_OUT_OF_SYNC.append("note_on_thing")


def register(catalog: Catalog) -> None:
    """Add all of them; `never_deployed` is in the database only."""
    catalog.add_product("Thing", Thing)
    for each in (
        ten_steps,
        two_steps,
        write_ledger,
        fail_until_open,
        ask_for_colour,
        order_outside,
        misbehave,
        lacks_a_parameter,
        endless_death,
        dies_around_sending,
        takes_too_long,
        listens_to_nobody,
        create_thing,
        modify_thing,
        repaint_thing,
        note_on_thing,
        look_at_thing,
        terminate_thing,
    ):
        catalog.add_workflow(each)
