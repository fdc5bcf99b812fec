"""Which workflows may run on a subscription, and the reason when one may not.

The three maps are there to be changed, at import of the user's package; `orchestrator.services.subscriptions` gives
these very objects. The rules themselves are functions of values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from orchestrator.language.transitions import ENDED
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target

# In which statuses a workflow may run, by its name; a workflow that is not here goes by its target.
WF_USABLE_MAP: dict[str, list[str]] = {}

# Whether subscriptions that use this one and are not terminated block a workflow, by its name; by default they block
# those that terminate.
WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS: dict[str, bool] = {}

# Workflows that may run on a subscription that is out of sync.
WF_USABLE_WHILE_OUT_OF_SYNC: list[str] = ["modify_note"]

_ACTIVE: Final = [SubscriptionLifecycle.ACTIVE.value]
TARGET_DEFAULT_USABLE_MAP: dict[Target, list[str]] = {
    Target.CREATE: [],
    Target.MODIFY: list(_ACTIVE),
    Target.TERMINATE: [status.value for status in SubscriptionLifecycle],
    Target.SYSTEM: list(_ACTIVE),
    Target.VALIDATE: list(_ACTIVE),
    Target.RECONCILE: list(_ACTIVE),
}

NOT_IN_SYNC: Final = "subscription.not_in_sync"
RELATIONS_NOT_IN_SYNC: Final = "subscription.relations_not_in_sync"
INVALID_STATUS: Final = "subscription.no_modify_invalid_status"
IN_USE_BY_OTHERS: Final = "subscription.no_modify_subscription_in_use_by_others"


@dataclass(frozen=True)
class WorkflowFacts:
    """A workflow as its row in the database has it."""

    name: str
    target: Target
    is_task: bool = False


@dataclass(frozen=True)
class HoldingProcess:
    """The process that took a subscription out of sync."""

    process_id: UUID
    workflow_name: str
    status: str


@dataclass(frozen=True)
class SubscriptionFacts:
    """What the rules look at: who holds it, relations that are out of sync, users that are not terminated."""

    status: SubscriptionLifecycle
    insync: bool
    locked_relations: tuple[UUID, ...] = ()
    unterminated_in_use_by_subscriptions: tuple[UUID, ...] = ()
    held_by: HoldingProcess | None = None


@dataclass(frozen=True)
class Blocked:
    """Why a workflow may not run: a stable code, a sentence, and what the code is about."""

    reason: str
    message: str
    usable_when: tuple[str, ...] | None = None
    status: str | None = None
    locked_relations: tuple[UUID, ...] | None = None
    unterminated_in_use_by_subscriptions: tuple[UUID, ...] | None = None
    held_by: HoldingProcess | None = None

    def details(self) -> dict[str, Any]:
        """What the code is about, without what does not matter for it, as JSON values."""
        found: dict[str, Any] = {}
        if self.usable_when is not None:
            found["usable_when"] = list(self.usable_when)
        if self.status is not None:
            found["status"] = self.status
        if self.locked_relations is not None:
            found["locked_relations"] = [str(identifier) for identifier in self.locked_relations]
        if self.unterminated_in_use_by_subscriptions is not None:
            users = self.unterminated_in_use_by_subscriptions
            found["unterminated_in_use_by_subscriptions"] = [str(identifier) for identifier in users]
        if self.held_by is not None:
            found["held_by"] = {**asdict(self.held_by), "process_id": str(self.held_by.process_id)}
        return found


def why_blocked(workflow: WorkflowFacts, subscription: SubscriptionFacts) -> Blocked | None:
    """Why the workflow may not run on the subscription; None when it may."""
    return (
        (None if runs_out_of_sync(workflow) else why_locked(subscription))
        or _wrong_status(workflow, subscription)
        or _in_use(workflow, subscription)
    )


def why_locked(subscription: SubscriptionFacts) -> Blocked | None:
    """Why all workflows but those that may run out of sync are blocked; None when they are not."""
    if not subscription.insync:
        said = f"The subscription is not in sync: {_whose(subscription.held_by)}"
        return Blocked(NOT_IN_SYNC, said, held_by=subscription.held_by)
    if subscription.locked_relations:
        return Blocked(
            RELATIONS_NOT_IN_SYNC,
            f"Related subscriptions are not in sync: {_listed(subscription.locked_relations)}",
            locked_relations=subscription.locked_relations,
        )
    return None


def runs_out_of_sync(workflow: WorkflowFacts) -> bool:
    """Whether a workflow may run although the subscription or its relations are out of sync.

    Tasks may, SYSTEM counts as one, and so do those that reconcile.
    """
    return (
        workflow.is_task
        or workflow.target in (Target.SYSTEM, Target.RECONCILE)
        or workflow.name in WF_USABLE_WHILE_OUT_OF_SYNC
    )


def usable_when(workflow: WorkflowFacts) -> tuple[str, ...]:
    """The statuses in which the workflow may run."""
    statuses = WF_USABLE_MAP.get(workflow.name)
    if statuses is None:
        statuses = TARGET_DEFAULT_USABLE_MAP[workflow.target]
    return tuple(str(status) for status in statuses)


def _wrong_status(workflow: WorkflowFacts, subscription: SubscriptionFacts) -> Blocked | None:
    statuses = usable_when(workflow)
    if subscription.status.value in statuses:
        return None
    allowed = f"can run when it is {' or '.join(statuses)}" if statuses else "never runs on an existing subscription"
    return Blocked(
        INVALID_STATUS,
        f"The subscription is {subscription.status.value}; {workflow.name} {allowed}",
        usable_when=statuses,
        status=subscription.status.value,
    )


def _in_use(workflow: WorkflowFacts, subscription: SubscriptionFacts) -> Blocked | None:
    users = subscription.unterminated_in_use_by_subscriptions
    is_blocked = WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS.get(workflow.name, workflow.target is Target.TERMINATE)
    if not users or not is_blocked:
        return None
    return Blocked(
        IN_USE_BY_OTHERS,
        f"Subscriptions that are not terminated use this one: {_listed(users)}",
        unterminated_in_use_by_subscriptions=users,
    )


def _whose(holder: HoldingProcess | None) -> str:
    if holder is None:
        return "no process holds it, so that it can be set in sync"
    does = "left it unfinished" if holder.status in ENDED else "works on it"
    return f"process {holder.process_id} ({holder.workflow_name}, {holder.status}) {does}"


def _listed(identifiers: Iterable[UUID]) -> str:
    return ", ".join(str(identifier) for identifier in identifiers)
