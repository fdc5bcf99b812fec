"""Idempotency keys: the same request with the same key gets the same answer, and is done once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.orm import Session

from orchestrator.errors import IdempotencyKeyError
from orchestrator.storage.idempotency_statements import find_answer, take_key

MAX_KEY_LENGTH = 255


class KeyTakenError(Exception):
    """Another request with this key was faster; its answer is there now."""


@dataclass(frozen=True)
class KeyedRequest:
    """A request that carries a key."""

    actor: str
    key: str
    request_hash: str

    @classmethod
    def of(cls, actor: str, key: str, *request: Any) -> KeyedRequest:
        """A request made of these JSON values.

        Raises:
            IdempotencyKeyError: the key is empty or too long.
        """
        if not 0 < len(key) <= MAX_KEY_LENGTH or "\x00" in key:
            raise IdempotencyKeyError(f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters")
        text = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
        return cls(actor, key, hashlib.sha256(text).hexdigest())

    def known_answer(self, session: Session) -> Any | None:
        """The answer that this request got before, None when it is new.

        Raises:
            IdempotencyKeyError: the key was used for another request.
        """
        row = find_answer(session, self.actor, self.key)
        if row is None:
            return None
        if row.request_hash != self.request_hash:
            raise IdempotencyKeyError(
                f"the idempotency key {self.key!r} was used for another request; use a new key for a new request"
            )
        return row.answer

    def take(self, session: Session, answer: Any, hours: float) -> None:
        """Use the key in the transaction that does what the request asks for.

        Raises:
            KeyTakenError: it has been used meanwhile; the caller rolls back and looks for the answer.
        """
        if not take_key(session, self.actor, self.key, self.request_hash, answer, hours):
            raise KeyTakenError
