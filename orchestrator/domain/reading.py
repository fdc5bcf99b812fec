"""Subscriptions as plain values, for those who only look: the API, the command line, images of what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from orchestrator.domain.products import ProductModel
from orchestrator.domain.saving import as_state
from orchestrator.domain.subscriptions import SubscriptionModel, read_tree
from orchestrator.domain.usage import HoldingProcess, SubscriptionFacts
from orchestrator.errors import BlockCycleError, OrchestratorError, ProductNotRegisteredError, ValuesDoNotFitError
from orchestrator.language.json_values import to_json
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.block_trees import TreeRows, root_links
from orchestrator.storage.session import db
from orchestrator.storage.subscription_relations import (
    RelatedSubscription,
    UsageRow,
    subscriptions_depended_on,
    subscriptions_using,
    usage_of,
)
from orchestrator.storage.subscription_statements import SubscriptionTree


def subscription_detail(tree: SubscriptionTree) -> dict[str, Any]:
    """The subscription as its domain model gives it, as JSON values; `tree` is from `read_tree`.

    Where the product has no model, or the values do not fit it, the values as they are stored.

    Raises:
        BlockCycleError: a block refers to itself through others.
        Exception: what the code of the model raises.
    """
    try:
        return as_state(SubscriptionModel.from_tree(tree))
    except (ProductNotRegisteredError, ValuesDoNotFitError):
        return stored_values(tree)


def subscription_image(subscription_id: UUID) -> dict[str, Any]:
    """As `subscription_detail`; only the scalar values where even the blocks cannot be put together.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    tree = read_tree(subscription_id)
    try:
        return as_state(SubscriptionModel.from_tree(tree))
    except OrchestratorError:
        return _scalar_values(tree)


def stored_values(tree: SubscriptionTree) -> dict[str, Any]:
    """The subscription and its blocks as they are stored, without a model: a single block stands alone, several in a
    list.

    Raises:
        BlockCycleError: a block refers to itself through others.
    """
    rows = tree.rows()
    roots = root_links(rows, tree.subscription.subscription_id)
    blocks = {attribute: _members(rows, ids, ()) for attribute, ids in roots.items()}
    return {**_scalar_values(tree), **tree.product.fixed_inputs, **blocks}


def in_use_by(subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """The subscriptions that use a block of this one, directly, oldest first."""
    return subscriptions_using(db.session, subscription_id)


def depends_on(subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """The subscriptions of which this one uses a block, directly, oldest first."""
    return subscriptions_depended_on(db.session, subscription_id)


def find_usage(subscription_id: UUID, process_id: UUID | None = None) -> tuple[UsageRow, SubscriptionFacts] | None:
    """What the rules of use look at, and the row that it comes from; None when there is no such subscription.

    Relations that the process of `process_id` holds count as in sync.
    """
    row = usage_of(db.session, subscription_id, process_id)
    if row is None:
        return None
    facts = SubscriptionFacts(
        SubscriptionLifecycle(row.status),
        row.insync,
        row.locked_relations,
        row.unterminated_in_use_by_subscriptions,
        None if row.held_by is None else HoldingProcess(*row.held_by),
    )
    return row, facts


def _scalar_values(tree: SubscriptionTree) -> dict[str, Any]:
    values = asdict(tree.subscription)
    del values["held_by"]
    product = ProductModel.from_row(tree.product).model_dump(mode="json")
    scalars: dict[str, Any] = to_json(values, "subscription")
    return {"product": product, **scalars}


def _members(tree: TreeRows, ids: Sequence[str], above: tuple[str, ...]) -> Any:
    members = [_block(tree, identifier, above) for identifier in ids]
    return members[0] if len(members) == 1 else members


def _block(tree: TreeRows, identifier: str, above: tuple[str, ...]) -> dict[str, Any]:
    if identifier in above:
        raise BlockCycleError(f"The block {identifier} refers to itself")
    row = tree.blocks[identifier]
    links = {
        attribute: _members(tree, ids, (*above, identifier))
        for attribute, ids in tree.links.get(identifier, {}).items()
    }
    return {
        "name": row.name,
        "subscription_instance_id": identifier,
        "owner_subscription_id": str(row.subscription_id),
        "label": row.label,
        **row.values,
        **links,
    }
