"""Writing one subscription: only what changed, guarded by the version that was loaded."""

from __future__ import annotations

from uuid import UUID

from orchestrator.domain.changes import difference
from orchestrator.domain.snapshot import Snapshot
from orchestrator.storage.session import db
from orchestrator.storage.subscription_links import hold_all_below, write_links
from orchestrator.storage.subscription_writing import (
    delete_blocks,
    insert_blocks,
    insert_changes,
    insert_subscription,
    patch_blocks,
    update_subscription,
)


def write_changes(subscription_id: UUID, version: int, old: Snapshot | None, new: Snapshot) -> int:
    """Write what leads from `old` (None: nothing is stored) to `new`; returns the version afterwards.

    Raises:
        StaleSubscriptionError: the stored version is another one.
        ConflictError: a new subscription exists already.
        BlockCycleError: a block would refer to itself through blocks of other subscriptions.
        BlockUnavailableError: the subscription of a block that is newly referred to has ended, or is being terminated.
        BlockInUseError: a removed block is used by another subscription.
        BlockNotFoundError: the database knows no such kind of block, or a block that is referred to is gone.
    """
    changes = difference(old, new)
    if changes.is_empty:
        return version
    session, origin = db.session, db.origin
    session.flush()
    known = {link.depends_on_id for link in changes.removed_links} | new.blocks.keys()
    newly_used = {link.depends_on_id for link in changes.new_links} - known
    if newly_used:
        hold_all_below(session, subscription_id, newly_used, origin)
    # The row of the subscription first: whoever else saves it waits here.
    if old is None:
        insert_subscription(session, subscription_id, version, changes.columns, origin)
    else:
        version = update_subscription(session, subscription_id, version, changes.columns, origin)
    if changes.new_blocks:
        insert_blocks(session, subscription_id, changes.new_blocks)
    if changes.patches:
        patch_blocks(session, subscription_id, changes.patches)
    if changes.removed_links or changes.new_links:
        write_links(session, changes.removed_links, changes.new_links, new.blocks)
    if changes.removed_blocks:
        delete_blocks(session, subscription_id, changes.removed_blocks)
    if changes.history:
        insert_changes(session, subscription_id, changes.history, origin)
    return version
