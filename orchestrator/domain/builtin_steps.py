"""The steps that the engine knows by itself: store, take, give back, and the status of a subscription.

They run in the transaction that records the step, on the session of the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never
from uuid import UUID

from orchestrator.domain.blocks import as_uuid
from orchestrator.domain.reading import find_usage, subscription_image
from orchestrator.domain.saving import as_state
from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
from orchestrator.domain.usage import WorkflowFacts, why_blocked
from orchestrator.errors import (
    MissingSubscriptionError,
    SubscriptionHeldError,
    SubscriptionNotFoundError,
    UnusableSubscriptionError,
)
from orchestrator.language.actions import Resync, SetStatus, StoreProcessSubscription, Unsync
from orchestrator.language.vocabulary import State, SubscriptionLifecycle, Target
from orchestrator.storage.session import db
from orchestrator.storage.subscription_holding import (
    Holder,
    give_back,
    holder_of,
    lock_with_relations,
    store_process_subscription,
    take,
    take_over,
    target_and_image,
    workflow_on,
)

BuiltinAction = SetStatus | Unsync | Resync | StoreProcessSubscription


def run_builtin(action: BuiltinAction, state: State) -> State:
    """Do what a built-in step does; returns what it changes in the state.

    Raises:
        MissingSubscriptionError: the state names no subscription.
        SubscriptionNotFoundError: there is no such subscription.
        SubscriptionHeldError: the subscription is taken already.
        UnusableSubscriptionError: the workflow may not run on the subscription any more.
        ValuesDoNotFitError: the subscription lacks a value that the new status asks for.
    """
    subscription_id = subscription_id_in(state)
    match action:
        case StoreProcessSubscription():
            return _store(subscription_id, state)
        case Unsync(checked):
            return _take(subscription_id, checked)
        case Resync():
            return _give_back(subscription_id, state)
        case SetStatus(status):
            return _set_status(subscription_id, status)
    assert_never(action)


def subscription_id_in(state: Mapping[str, Any]) -> UUID:
    """The subscription that a state is about: `subscription_id`, or that of `subscription`.

    Raises:
        MissingSubscriptionError: neither is there.
        InvalidInputError: what is there is no UUID.
    """
    found = state.get("subscription_id")
    if found is None:
        subscription = state.get("subscription")
        found = subscription.get("subscription_id") if isinstance(subscription, Mapping) else subscription
    if found is None:
        raise MissingSubscriptionError
    return as_uuid(found, "subscription")


def _store(subscription_id: UUID, state: State) -> State:
    process_seq = db.origin.process_seq
    if process_seq is not None:
        present = target_and_image(db.session, process_seq, subscription_id)
        # Nothing was there before a create; else the image is kept from the first time.
        is_needed = present is not None and present[0] != "CREATE" and not present[1]
        image = subscription_image(subscription_id) if is_needed else None
        if not is_needed and holder_of(db.session, subscription_id) is None:
            raise _not_found(subscription_id)
        store_process_subscription(db.session, process_seq, subscription_id, image)
    return {} if "subscription_id" in state else {"subscription_id": str(subscription_id)}


def _take(subscription_id: UUID, checked: bool) -> State:
    session, origin = db.session, db.origin
    if checked:
        lock_with_relations(session, subscription_id)
    taken = take(session, subscription_id, origin)
    if not taken:
        holder = holder_of(session, subscription_id)
        if holder is None:
            raise _not_found(subscription_id)
        is_ours = holder.process_id is not None and holder.process_id == origin.process_id
        if checked and not is_ours:
            raise SubscriptionHeldError(_sentence(subscription_id, holder))
        if not is_ours and origin.process_id is not None:
            take_over(session, subscription_id, origin)
    if checked:
        _require_usable(subscription_id)
    after = subscription_image(subscription_id)
    if origin.process_seq is not None:
        # Taking it changed nothing else, so that this is what it was.
        before = {**after, "insync": True, "version": after["version"] - 1} if taken else after
        store_process_subscription(session, origin.process_seq, subscription_id, before)
    return {"subscription": after}


def _require_usable(subscription_id: UUID) -> None:
    """Ask the rules of use once more: what they look at may have changed since the process was started."""
    origin = db.origin
    known = None if origin.process_seq is None else workflow_on(db.session, origin.process_seq, subscription_id)
    usage = find_usage(subscription_id, origin.process_id)
    if known is None or usage is None or known[1] == Target.CREATE:
        return
    name, target, is_task = known
    # It is out of sync because this process has just taken it.
    blocked = why_blocked(WorkflowFacts(name, Target(target), is_task), replace(usage[1], insync=True))
    if blocked is not None:
        raise UnusableSubscriptionError(f"{blocked.message} ({blocked.reason})")


def _give_back(subscription_id: UUID, state: State) -> State:
    if not give_back(db.session, subscription_id, db.origin) and holder_of(db.session, subscription_id) is None:
        raise _not_found(subscription_id)
    return {"subscription": subscription_image(subscription_id)} if "subscription" in state else {}


def _set_status(subscription_id: UUID, status: SubscriptionLifecycle) -> State:
    subscription = SubscriptionModel.from_subscription(subscription_id)
    if subscription.status == status:
        return {}
    changed = change_lifecycle(subscription, status)
    changed.save()
    return {"subscription": as_state(changed)}


def _sentence(subscription_id: UUID, holder: Holder) -> str:
    if holder.process_id is None:
        return f"Subscription {subscription_id} is not in sync, and no process holds it: set it in sync first"
    workflow = f" ({holder.workflow_name}, {holder.status})" if holder.workflow_name else ""
    return f"Subscription {subscription_id} is not in sync: process {holder.process_id}{workflow} holds it"


def _not_found(subscription_id: UUID) -> SubscriptionNotFoundError:
    return SubscriptionNotFoundError(f"There is no subscription {subscription_id}")
