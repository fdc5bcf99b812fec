"""Which subscriptions are to be validated, and the note of a subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.storage.session import Origin

# Active subscriptions that are in sync, with each validate workflow of their product that is not under way on them. Of
# a task on a product the database may say SYSTEM where its code says that it validates.
_TO_VALIDATE: Final = text("""
SELECT s.seq, s.subscription_id, w.name AS workflow_name
FROM (
    SELECT s.seq, s.subscription_id, s.product_id FROM subscriptions s JOIN products p USING (product_id)
    WHERE s.seq > :after AND s.status = 'active' AND s.insync
      AND (CAST(:product_type AS text) IS NULL OR p.product_type = :product_type)
    ORDER BY s.seq LIMIT :most
) AS s
LEFT JOIN (
    products_workflows l
    JOIN workflows w ON w.workflow_id = l.workflow_id AND w.deleted_at IS NULL
      AND (w.target = 'VALIDATE' OR w.target = 'SYSTEM' AND w.name = ANY(:validating))
) ON l.product_id = s.product_id AND NOT EXISTS (
    SELECT FROM process_subscriptions ps JOIN processes p ON p.seq = ps.process_seq
    WHERE ps.subscription_id = s.subscription_id AND p.workflow_id = w.workflow_id
      AND p.status NOT IN ('completed', 'aborted', 'failed', 'inconsistent_data', 'api_unavailable')
)
ORDER BY s.seq, w.name
""")

_PRODUCT_TYPES: Final = text("SELECT DISTINCT product_type FROM products ORDER BY product_type")

_NOTE: Final = text("SELECT note FROM subscriptions WHERE subscription_id = :subscription_id")

# The note belongs to no model's save: its version stays, so that whoever works on the subscription is not disturbed.
_SET_NOTE: Final = text("""
WITH was AS MATERIALIZED (
    SELECT subscription_id, note FROM subscriptions WHERE subscription_id = :subscription_id FOR NO KEY UPDATE
), now AS (
    UPDATE subscriptions s SET note = CAST(:note AS text), last_modified_at = now() FROM was
    WHERE s.subscription_id = was.subscription_id AND was.note IS DISTINCT FROM CAST(:note AS text)
    RETURNING s.subscription_id, was.note
)
INSERT INTO subscription_changes (subscription_id, path, before, after, process_id, step_key, changed_by)
SELECT subscription_id, 'note', to_jsonb(note), to_jsonb(CAST(:note AS text)), CAST(:process_id AS uuid),
       CAST(:step_key AS text), CAST(:changed_by AS text)
FROM now
""")


@dataclass(frozen=True)
class ToValidate:
    """A subscription, and a workflow that validates it; None when its product has none, or one is under way."""

    seq: int
    subscription_id: UUID
    workflow_name: str | None


def subscriptions_to_validate(
    session: Session, validating: Sequence[str], after: int, most: int, product_type: str | None = None
) -> list[ToValidate]:
    """The next subscriptions to validate, by seq, above `after`: so many at most, once for each workflow. `validating`
    are the names of the workflows that validate by their code."""
    values = {"validating": list(validating), "after": after, "most": most, "product_type": product_type}
    return [ToValidate(**row) for row in session.execute(_TO_VALIDATE, values).mappings()]


def product_types(session: Session) -> list[str]:
    """All types of products."""
    return list(session.execute(_PRODUCT_TYPES).scalars())


def note_of(session: Session, subscription_id: UUID) -> str | None:
    """The note of a subscription; None, too, when there is no such subscription."""
    return session.execute(_NOTE, {"subscription_id": subscription_id}).scalar_one_or_none()


def set_note_of(session: Session, subscription_id: UUID, note: str | None, origin: Origin) -> None:
    """Set the note of a subscription, whoever works on it, and keep what it was in the history."""
    values = {"subscription_id": subscription_id, "note": note, "process_id": origin.process_id}
    session.execute(_SET_NOTE, {**values, "step_key": origin.step_key, "changed_by": origin.changed_by})
