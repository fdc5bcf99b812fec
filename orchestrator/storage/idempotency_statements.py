"""The statements behind idempotency keys: which request a key was used for, and the answer that it got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.storage.database import dump_json

_FIND: Final = text("""
SELECT request_hash, answer FROM idempotency_keys
WHERE actor = :actor AND key = :key AND expires_at > clock_timestamp()
""")

# Of two that come at once the second waits here for the first, and then finds no row: the key is taken.
_TAKE: Final = text("""
INSERT INTO idempotency_keys (actor, key, request_hash, answer, expires_at)
VALUES (:actor, :key, :request_hash, CAST(:answer AS jsonb), clock_timestamp() + :hours * interval '1 hour')
ON CONFLICT (actor, key) DO UPDATE
SET request_hash = EXCLUDED.request_hash, answer = EXCLUDED.answer, created_at = now(), expires_at = EXCLUDED.expires_at
WHERE idempotency_keys.expires_at <= clock_timestamp()
RETURNING key
""")

# Each key that is used takes a few expired ones along, so that the table does not grow for ever. By a time that can be
# looked up in an index: else all keys would be gone through where few or none have expired.
_FORGET: Final = text("""
DELETE FROM idempotency_keys WHERE (actor, key) IN (
    SELECT actor, key FROM idempotency_keys WHERE expires_at <= statement_timestamp()
    ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
)
""")


@dataclass(frozen=True)
class IdempotencyRow:
    """The request that a key was used for, as a hash, and the answer that it got."""

    request_hash: str
    answer: Any


def find_answer(session: Session, actor: str, key: str) -> IdempotencyRow | None:
    """What this actor used this key for, None when it is new or has expired."""
    row = session.execute(_FIND, {"actor": actor, "key": key}).mappings().one_or_none()
    return None if row is None else IdempotencyRow(**row)


def take_key(session: Session, actor: str, key: str, request_hash: str, answer: Any, hours: float) -> bool:
    """Use a key for a request; False when the actor has used it already. Waits for whoever uses it at this moment."""
    session.execute(_FORGET)
    values = {"actor": actor, "key": key, "request_hash": request_hash, "answer": dump_json(answer), "hours": hours}
    return session.execute(_TAKE, values).one_or_none() is not None
