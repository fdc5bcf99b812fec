"""Steps after which the worker child dies: between its commit and the bell for the next step, or right after that."""

from __future__ import annotations

import os
import signal
from typing import Any, Literal

from kombu.transport.redis import Channel

from catalog_on_test.gates import visit
from catalog_on_test.plain import GateName, enter_in_ledger, numbered
from orchestrator import FormGenerator, FormPage, State, StepList, begin, step, task


class DeathPage(FormPage):
    """Where to leave a trace, and when to die: before or after the bell for the next step is sent."""

    gate: GateName
    moment: Literal["before", "after"]


def death_form() -> FormGenerator:
    """One page."""
    page = yield DeathPage
    return page.model_dump()


def _die_around_sending(moment: str) -> None:
    put = Channel._put

    def die(self: Channel, *arguments: Any, **options: Any) -> None:
        if moment == "after":
            put(self, *arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    Channel._put = die


@step("Enter in the ledger, and die around sending")
def enter_and_die(gate: str, moment: str) -> State:
    """Its row must be there once, and it must not run again: it dies when this step is recorded already."""
    visit(gate)
    enter_in_ledger(gate)
    _die_around_sending(moment)
    return {"entered": gate}


@task("Die around sending", initial_input_form=death_form)
def dies_around_sending() -> StepList:
    """The step whose bell is lost or comes twice, and one that follows."""
    return begin >> enter_and_die >> numbered(1)
