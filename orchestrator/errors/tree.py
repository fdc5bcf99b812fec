"""The branches of the tree: what the API and the command line tell apart."""

from __future__ import annotations


class OrchestratorError(Exception):
    """Something went wrong in the orchestrator."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class SettingsError(OrchestratorError):
    """The settings cannot be used."""


class AuthoringError(OrchestratorError):
    """A workflow, step or model is written in a way that cannot work."""


class NotFoundError(OrchestratorError):
    """That does not exist."""


class ConflictError(OrchestratorError):
    """That cannot be done in the present state."""


class InvalidInputError(OrchestratorError):
    """What was sent cannot be used."""


class UnavailableError(OrchestratorError):
    """A server that the orchestrator depends on does not answer."""
