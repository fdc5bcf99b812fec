"""Steps that have no function of an author's: what the engine does for each, in the transaction of its record."""

from __future__ import annotations

from typing import assert_never

from orchestrator.domain.builtin_steps import run_builtin
from orchestrator.engine.callbacks import await_callback
from orchestrator.engine.children import wait_for_children
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.record import Place
from orchestrator.errors import AuthoringError
from orchestrator.language.actions import (
    Abort,
    Action,
    AwaitCallback,
    Call,
    Children,
    Finish,
    Form,
    Resync,
    SetStatus,
    Sleep,
    Start,
    StoreProcessSubscription,
    Unsync,
    Until,
)
from orchestrator.language.calling import Focus
from orchestrator.language.outcomes import Aborted, Done, NeedsInput, Outcome, WaitUntil
from orchestrator.language.timers import moment_of
from orchestrator.storage.step_statements import HAS_WAITED


def outcome_of_engine(connection: WorkerConnection, place: Place, action: Action, focus: Focus) -> Outcome:
    """What a step of the engine's ends in.

    Args:
        connection: of the worker, with a transaction open.
        place: the step.
        action: what is to be done.
        focus: the part of the state that it is done with.

    Raises:
        LostClaimError: the claim is not ours any more.
        AuthoringError: it has a function of the author's.
        OrchestratorError: it cannot be done, and the message says why.
    """
    match action:
        case Form():
            return NeedsInput()
        case AwaitCallback():
            return await_callback(connection, place, action, lambda arrived: focus.widen(Done(arrived)))
        case Children():
            return wait_for_children(connection, place, action, focus.inner)
        case Start() | Finish():
            return Done({})
        case Abort():
            return Aborted()
        case SetStatus() | Unsync() | Resync() | StoreProcessSubscription():
            return focus.widen(Done(run_builtin(action, focus.inner)))
        case Sleep() | Until():
            return _wait(connection, place, action, focus)
        case Call():
            raise AuthoringError("a function of the author's is not done by the engine")
        case _:
            assert_never(action)


def _wait(connection: WorkerConnection, place: Place, action: Sleep | Until, focus: Focus) -> Outcome:
    claim = place.claim
    here = {"seq": claim.seq, "position": claim.position, "generation": claim.generation, "key": place.key}
    row = connection.row(HAS_WAITED, here)
    if row is not None and row[0]:
        return Done({})
    moment = moment_of(action, focus.inner, claim.claimed_at)
    return WaitUntil(moment) if moment > claim.claimed_at else Done({})
