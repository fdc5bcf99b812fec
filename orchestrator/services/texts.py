"""Texts that people write about what they do: notes and reasons."""

from __future__ import annotations

from typing import Final

from orchestrator.errors import InvalidInputError
from orchestrator.services.forms import storable

MAX_NOTE_LENGTH: Final = 5000
MAX_REASON_LENGTH: Final = 5000


def check_note(note: str | None) -> None:
    """Go on when the note can be stored.

    Raises:
        InvalidInputError: it is too long, or has characters that cannot be stored.
    """
    _check("note", note, MAX_NOTE_LENGTH)


def check_reason(reason: str | None) -> None:
    """Go on when the reason can be stored.

    Raises:
        InvalidInputError: it is too long, or has characters that cannot be stored.
    """
    _check("reason", reason, MAX_REASON_LENGTH)


def require_reason(reason: str) -> None:
    """Go on when there is a reason and it can be stored.

    Raises:
        InvalidInputError: it is empty or too long, or has characters that cannot be stored.
    """
    if not reason.strip():
        raise InvalidInputError("say why: the reason is empty")
    check_reason(reason)


def _check(name: str, text: str | None, longest: int) -> None:
    if text is not None and len(text) > longest:
        raise InvalidInputError(f"the {name} has {len(text)} characters; {longest} are allowed")
    storable(text, name)
