"""Exit statuses: one table for scripts, and the way from errors to it."""

from __future__ import annotations

from enum import IntEnum

from orchestrator.errors import (
    ConflictError,
    FormIncompleteError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    SettingsError,
    UnavailableError,
)


class ExitStatus(IntEnum):
    """What a command ended in."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    INVALID_INPUT = 5
    UNAVAILABLE = 6
    SETTINGS = 7
    WAITING = 8
    INTERRUPTED = 130


# The first class that fits counts.
OF_ERRORS: dict[type[OrchestratorError], ExitStatus] = {
    NotFoundError: ExitStatus.NOT_FOUND,
    ConflictError: ExitStatus.CONFLICT,
    InvalidInputError: ExitStatus.INVALID_INPUT,
    FormIncompleteError: ExitStatus.INVALID_INPUT,
    UnavailableError: ExitStatus.UNAVAILABLE,
    SettingsError: ExitStatus.SETTINGS,
    OrchestratorError: ExitStatus.FAILED,
}


def status_of(error: OrchestratorError) -> ExitStatus:
    """The exit status for an error."""
    return next(status for kind, status in OF_ERRORS.items() if isinstance(error, kind))
