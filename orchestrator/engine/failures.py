"""What an exception in a step means: the error that is recorded and the status that the process gets."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

import httpx

from orchestrator.errors import InconsistentDataError
from orchestrator.language.outcomes import StepError, storable_text
from orchestrator.language.vocabulary import ProcessStatus

_LONGEST_NAME = 200
_LONGEST_MESSAGE = 10_000
_LONGEST_TRACEBACK = 50_000
_UNAVAILABLE_STATUSES = frozenset({502, 503, 504})
_TIMEOUT_NAMES = frozenset({"requests.exceptions.ConnectionError", "requests.exceptions.Timeout"})


@dataclass(frozen=True)
class Verdict:
    """What a step's exception comes to."""

    error: StepError
    status: ProcessStatus


def judge(error: BaseException, *, is_task: bool) -> Verdict:
    """Turn the exception that ended a step into what is recorded.

    In a task an `AssertionError` or `InconsistentDataError` (or a subclass) gives inconsistent_data. Connection errors
    and time-outs of httpx and requests, and answers 502, 503 and 504, give api_unavailable. All else gives failed.
    """
    return Verdict(_describe(error), _status(error, is_task))


def told(error: BaseException) -> str:
    """What an exception says of itself, behind its class."""
    said, name = _said(error), type(error).__name__
    return f"{name}: {said}" if said else name


def _status(error: BaseException, is_task: bool) -> ProcessStatus:
    if is_task and isinstance(error, AssertionError | InconsistentDataError):
        return ProcessStatus.INCONSISTENT_DATA
    if _is_unavailable(error):
        return ProcessStatus.API_UNAVAILABLE
    return ProcessStatus.FAILED


def _is_unavailable(error: BaseException) -> bool:
    if isinstance(error, httpx.TransportError):
        return True
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    code = _attribute(_attribute(error, "response"), "status_code")
    if isinstance(code, int) and code in _UNAVAILABLE_STATUSES:
        return True
    return any(f"{kind.__module__}.{kind.__qualname__}" in _TIMEOUT_NAMES for kind in type(error).__mro__)


def _describe(error: BaseException) -> StepError:
    return StepError(
        class_name=_shortened(type(error).__name__, _LONGEST_NAME),
        message=_shortened(_message(error), _LONGEST_MESSAGE),
        traceback=_traceback(error),
        details=_attribute(error, "details"),
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the step called sys.exit({_said(error)}); a step ends by returning or raising"
    said = _said(error)
    # A key, or nothing at all, does not say that something went wrong.
    message = told(error) if not said or type(error).__str__ is KeyError.__str__ else said
    return "; ".join([message, *_notes(error)])


def _said(error: BaseException) -> str:
    # An author's __str__ and __repr__ may raise anything, KeyboardInterrupt too.
    try:
        return repr(error.code) if isinstance(error, SystemExit) else str(error)
    except BaseException as broken:  # noqa: BLE001
        return f"{type(error).__name__} (its text cannot be shown: {type(broken).__name__})"


def _notes(error: BaseException) -> list[str]:
    """What was added to it on its way up, such as whose condition raised it."""
    notes = _attribute(error, "__notes__")
    return [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []


def _traceback(error: BaseException) -> str:
    """Its text; of a very long one the end, where the error stands."""
    try:
        text = storable_text("".join(traceback.format_exception(type(error), error, _own_frames(error))))
    except Exception as broken:  # noqa: BLE001 - it is made of what authors' exceptions say about themselves
        text = f"(the traceback cannot be shown: {type(broken).__name__})"
    return text if len(text) <= _LONGEST_TRACEBACK else "…" + text[1 - _LONGEST_TRACEBACK :]


def _attribute(thing: object, name: str) -> Any:
    """An attribute of an author's object, None when it cannot be had."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property may raise anything
        return None


def _own_frames(error: BaseException) -> Any:
    """The traceback without the engine's own frames at its top, unless nothing else is left."""
    frames = error.__traceback__
    while frames is not None and "orchestrator/engine/" in frames.tb_frame.f_code.co_filename.replace("\\", "/"):
        frames = frames.tb_next
    return frames or error.__traceback__


def _shortened(text: str, longest: int) -> str:
    clean = storable_text(text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
