"""Subscriptions: which workflows may run on one, and putting one in sync by hand.

Authors import the usage maps from here; they are the very objects that the rules read, and may be changed at import.
They also import what forms and steps look up: `find_subscriptions`, `find_products` and `lock_subscriptions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.domain.finding import find_products, find_subscriptions, lock_subscriptions
from orchestrator.domain.reading import depends_on as related_depends_on
from orchestrator.domain.reading import find_usage
from orchestrator.domain.reading import in_use_by as related_in_use_by
from orchestrator.domain.usage import (
    IN_USE_BY_OTHERS,
    INVALID_STATUS,
    WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS,
    WF_USABLE_MAP,
    WF_USABLE_WHILE_OUT_OF_SYNC,
    Blocked,
    HoldingProcess,
    WorkflowFacts,
    why_blocked,
    why_locked,
)
from orchestrator.errors import SubscriptionNotFoundError, UnfinishedProcessesError
from orchestrator.language.vocabulary import Actor, Target
from orchestrator.services import audit
from orchestrator.services.context import Context
from orchestrator.storage.session import Origin
from orchestrator.storage.subscription_holding import give_back
from orchestrator.storage.subscription_relations import RelatedSubscription
from orchestrator.storage.tables import (
    ProcessSubscriptionTable,
    ProcessTable,
    SubscriptionTable,
    WorkflowTable,
    products_workflows,
)

__all__ = [
    "WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS",
    "WF_USABLE_MAP",
    "WF_USABLE_WHILE_OUT_OF_SYNC",
    "AllowedWorkflow",
    "SubscriptionWorkflows",
    "find_products",
    "find_subscriptions",
    "lock_subscriptions",
    "set_in_sync",
    "subscription_workflows",
    "workflows_of",
]

_ENDED = ("completed", "aborted")


@dataclass(frozen=True)
class Blocking:
    """Why something is blocked: a stable code, a sentence, and what the code is about. All None when nothing is."""

    reason: str | None = None
    message: str | None = None
    usable_when: tuple[str, ...] | None = None
    status: str | None = None
    action: str | None = None
    locked_relations: tuple[UUID, ...] | None = None
    locked_relations_detail: tuple[RelatedSubscription, ...] | None = None
    unterminated_in_use_by_subscriptions: tuple[UUID, ...] | None = None
    unterminated_in_use_by_subscriptions_detail: tuple[RelatedSubscription, ...] | None = None
    held_by: HoldingProcess | None = None


@dataclass(frozen=True)
class AllowedWorkflow:
    """A workflow of the subscription's product; it may run when it has no reason why not."""

    name: str
    description: str
    target: Target
    blocking: Blocking


@dataclass(frozen=True)
class SubscriptionWorkflows:
    """The workflows of a subscription, and what blocks all that cannot run out of sync."""

    blocking: Blocking
    workflows: tuple[AllowedWorkflow, ...]

    def of(self, target: Target) -> tuple[AllowedWorkflow, ...]:
        """Those with this target, by name."""
        return tuple(workflow for workflow in self.workflows if workflow.target is target)


def subscription_workflows(context: Context, subscription_id: UUID) -> SubscriptionWorkflows:
    """Which workflows may run on the subscription now, and why the others may not.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    with context.database.reading() as session:
        return workflows_of(session, subscription_id)


def workflows_of(session: Session, subscription_id: UUID) -> SubscriptionWorkflows:
    """As `subscription_workflows`, in a unit of work that is there already.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    usage = find_usage(subscription_id)
    if usage is None:
        raise SubscriptionNotFoundError(f"there is no subscription {subscription_id}")
    row, facts = usage
    linked = session.execute(
        select(WorkflowTable)
        .join(products_workflows, products_workflows.c.workflow_id == WorkflowTable.workflow_id)
        .where(products_workflows.c.product_id == row.product_id, WorkflowTable.deleted_at.is_(None))
        .order_by(WorkflowTable.name)
    ).scalars()
    related: dict[UUID, RelatedSubscription] = {}
    if facts.locked_relations or facts.unterminated_in_use_by_subscriptions:
        near = (*related_in_use_by(subscription_id), *related_depends_on(subscription_id))
        related = {one.subscription_id: one for one in near}
    return SubscriptionWorkflows(
        _blocking(why_locked(facts), None, related),
        tuple(
            AllowedWorkflow(found.name, found.description, target, _blocking(blocked, target, related))
            for found in linked
            for target in (Target(found.target),)
            for blocked in (why_blocked(WorkflowFacts(found.name, target, found.is_task), facts),)
        ),
    )


def set_in_sync(
    context: Context, actor: Actor, subscription_id: UUID, *, reason: str | None = None, request_id: str | None = None
) -> bool:
    """Say that a subscription is in sync although no process did; False when it was in sync already.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
        UnfinishedProcessesError: a process that works on it has not ended.
    """
    with context.database.transaction(actor.name) as session:
        insync = session.execute(
            select(SubscriptionTable.insync)
            .where(SubscriptionTable.subscription_id == subscription_id)
            .with_for_update()
        ).scalar_one_or_none()
        if insync is None:
            raise SubscriptionNotFoundError(f"there is no subscription {subscription_id}")
        if insync:
            return False
        _require_no_unfinished(session, subscription_id)
        if not give_back(session, subscription_id, Origin(actor.name)):
            raise UnfinishedProcessesError(f"a task that has not ended holds the subscription {subscription_id}")
        audit.record(
            session,
            actor,
            "set in sync",
            "subscription",
            subscription_id,
            subscription_id=subscription_id,
            reason=reason,
            before={"insync": False},
            after={"insync": True},
            request_id=request_id,
        )
    return True


def _require_no_unfinished(session: Session, subscription_id: UUID) -> None:
    unfinished = session.execute(
        select(ProcessTable.process_id, WorkflowTable.name, ProcessTable.status)
        .join(ProcessSubscriptionTable, ProcessSubscriptionTable.process_seq == ProcessTable.seq)
        .join(WorkflowTable, WorkflowTable.workflow_id == ProcessTable.workflow_id)
        .where(
            ProcessSubscriptionTable.subscription_id == subscription_id,
            ProcessTable.is_task.is_(False),
            ProcessTable.status.not_in(_ENDED),
        )
        .order_by(ProcessTable.seq)
        .limit(10)
    ).all()
    if unfinished:
        listed = ", ".join(f"{name} {process_id} ({status})" for process_id, name, status in unfinished)
        raise UnfinishedProcessesError(f"processes on the subscription {subscription_id} have not ended: {listed}")


def _blocking(blocked: Blocked | None, target: Target | None, related: dict[UUID, RelatedSubscription]) -> Blocking:
    if blocked is None:
        return Blocking()
    action: str | None = None
    if target is not None and blocked.reason in {INVALID_STATUS, IN_USE_BY_OTHERS}:
        action = "terminated" if target is Target.TERMINATE else "modified"
    return Blocking(
        blocked.reason,
        blocked.message,
        blocked.usable_when,
        blocked.status,
        action,
        blocked.locked_relations,
        _details(blocked.locked_relations, related),
        blocked.unterminated_in_use_by_subscriptions,
        _details(blocked.unterminated_in_use_by_subscriptions, related),
        blocked.held_by,
    )


def _details(
    identifiers: tuple[UUID, ...] | None, related: dict[UUID, RelatedSubscription]
) -> tuple[RelatedSubscription, ...] | None:
    if identifiers is None:
        return None
    return tuple(related[identifier] for identifier in identifiers if identifier in related)
