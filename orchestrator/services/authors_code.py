"""What authors' code raises while somebody waits for an answer: an error that names the code, and tells no secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orchestrator.engine.failures import told
from orchestrator.errors import (
    ArgumentError,
    AuthoringError,
    CodeFailedError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    MissingParameterError,
    NotFoundError,
    StepResultError,
    UnavailableError,
)
from orchestrator.language.calling import blamed

# What authors' code may say to a client, and what is said of the database.
_TOLD_AS_THEY_ARE: Final = (
    NotFoundError,
    ConflictError,
    InvalidInputError,
    ForbiddenError,
    UnavailableError,
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
)

# What says what is wrong with the code; it has names, and no values.
_ABOUT_CODE: Final = (AuthoringError, MissingParameterError, ArgumentError, StepResultError)


@contextmanager
def code_of(label: str, kind: type[CodeFailedError] = CodeFailedError) -> Iterator[None]:
    """Around a call of authors' code: what it raises becomes an error that names it.

    Args:
        label: what messages call the code.
        kind: of the error.

    Raises:
        NotFoundError, ConflictError, InvalidInputError, ForbiddenError, UnavailableError: the code said so, or the
            database.
        CodeFailedError: of this kind: it raised anything else.
    """
    try:
        yield
    except (*_TOLD_AS_THEY_ARE, CodeFailedError):
        raise
    except (Exception, SystemExit) as error:
        raise failed(label, error, kind) from error


def failed(label: str, error: BaseException, kind: type[CodeFailedError] = CodeFailedError) -> CodeFailedError:
    """The error for an exception that authors' code raised; `label` is what messages call that code."""
    whose = blamed(error)
    place = "" if whose is None else f", {whose}"
    in_full = f"{label} failed with {told(error).replace(f'{label}: ', '', 1)}{place}"
    if isinstance(error, _ABOUT_CODE):
        return kind(in_full)
    # What it says about itself may have values that are nobody else's business.
    return kind(f"{label} failed with {type(error).__name__}{place}", in_full)
