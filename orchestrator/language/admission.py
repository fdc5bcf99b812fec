"""Who may start or go on with a process, and when: what authorizers and run predicates are given and answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.language.vocabulary import Actor

if TYPE_CHECKING:
    from orchestrator.language.workflow_definition import Workflow


class AuthAction(StrEnum):
    """What the actor wants to do."""

    START_WORKFLOW = "start_workflow"
    RESUME_WORKFLOW = "resume_workflow"
    RETRY_WORKFLOW = "retry_workflow"
    ABORT_WORKFLOW = "abort_workflow"


@dataclass(frozen=True)
class AuthContext:
    """What an authorizer decides on. `step` is the name of the step to go on with, None at the start."""

    user: Actor
    action: AuthAction
    workflow: Workflow
    step: str | None = None


Authorizer = Callable[[AuthContext], bool | Awaitable[bool]]


@dataclass(frozen=True)
class PredicateContext:
    """What a run predicate decides on."""

    workflow: Workflow
    workflow_key: str


@dataclass(frozen=True)
class RunPredicatePass:
    """The workflow may start."""


@dataclass(frozen=True)
class RunPredicateFail:
    """The workflow may not start now, and why."""

    message: str


RunPredicate = Callable[[PredicateContext], RunPredicatePass | RunPredicateFail]
