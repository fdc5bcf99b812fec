"""Asks the authorizers of workflows and steps whether an actor may start, go on with, retry or abort."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from orchestrator.errors import ForbiddenError
from orchestrator.language.admission import AuthAction, AuthContext, Authorizer
from orchestrator.language.parameters import name_of_function
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import Actor
from orchestrator.language.workflow_definition import Workflow
from orchestrator.services.authors_code import code_of

_VERBS = {
    AuthAction.START_WORKFLOW: "start",
    AuthAction.RESUME_WORKFLOW: "resume",
    AuthAction.RETRY_WORKFLOW: "retry",
    AuthAction.ABORT_WORKFLOW: "abort",
}


def require_start(actor: Actor, workflow: Workflow) -> None:
    """The workflow's `authorize_callback` decides.

    Raises:
        ForbiddenError: it says no.
        CodeFailedError: it raised.
    """
    _require(workflow.authorize_callback, AuthContext(actor, AuthAction.START_WORKFLOW, workflow))


def require_resume(actor: Actor, workflow: Workflow, steps: Sequence[Step]) -> None:
    """The last `resume_auth_callback` of the steps up to now decides, else the workflow.

    Raises:
        ForbiddenError: it says no.
        CodeFailedError: it raised.
    """
    callback = _last(step.resume_auth_callback for step in steps) or workflow.authorize_callback
    _require(callback, AuthContext(actor, AuthAction.RESUME_WORKFLOW, workflow, _name(steps)))


def require_retry(actor: Actor, workflow: Workflow, steps: Sequence[Step]) -> None:
    """The last `retry_auth_callback`, or `resume_auth_callback`, of the steps up to now decides, else the workflow.

    Raises:
        ForbiddenError: it says no.
        CodeFailedError: it raised.
    """
    callback = (
        _last(step.retry_auth_callback or step.resume_auth_callback for step in steps)
        or workflow.retry_auth_callback
        or workflow.authorize_callback
    )
    _require(callback, AuthContext(actor, AuthAction.RETRY_WORKFLOW, workflow, _name(steps)))


def require_abort(actor: Actor, workflow: Workflow, steps: Sequence[Step]) -> None:
    """The workflow's `authorize_callback` decides.

    Raises:
        ForbiddenError: it says no.
        CodeFailedError: it raised.
    """
    _require(workflow.authorize_callback, AuthContext(actor, AuthAction.ABORT_WORKFLOW, workflow, _name(steps)))


def _require(callback: Authorizer | None, asked: AuthContext) -> None:
    if callback is None:
        return
    with code_of(f"the authorizer {name_of_function(callback)} of {asked.workflow.name}"):
        answer = callback(asked)
        if not isinstance(answer, bool) and isinstance(answer, Awaitable):
            answer = asyncio.run(_settled(answer))
        allowed = bool(answer)
    if not allowed:
        place = "" if asked.step is None else f" at its step {asked.step!r}"
        raise ForbiddenError(f"{asked.user.name} may not {_VERBS[asked.action]} {asked.workflow.name}{place}")


async def _settled(answer: Awaitable[bool]) -> bool:
    return await answer


def _last(callbacks: Iterable[Authorizer | None]) -> Authorizer | None:
    return next((callback for callback in reversed(list(callbacks)) if callback is not None), None)


def _name(steps: Sequence[Step]) -> str | None:
    return steps[-1].name if steps else None
