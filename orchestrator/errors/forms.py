"""Forms and what is entered in them."""

from __future__ import annotations

from orchestrator.errors.authoring import CodeFailedError
from orchestrator.errors.tree import InvalidInputError, OrchestratorError


class MalformedPagesError(InvalidInputError):
    """The pages of a form are a list of objects."""


class UnstorableInputError(InvalidInputError):
    """What was entered cannot be stored."""


class FormOverflowError(InvalidInputError):
    """More pages were sent than the form has."""


class FormInvalidError(InvalidInputError):
    """A page of the form does not fit.

    `members` has `validation_errors`: objects with `type`, `loc`, `msg` and `input`. `page` counts from 1.
    """

    def __init__(self, message: str, validation_errors: list[dict[str, object]], page: int) -> None:
        super().__init__(message)
        self.members = {"validation_errors": validation_errors}
        self.page = page


class FormFailedError(CodeFailedError):
    """The code of the form failed."""


class FormIncompleteError(OrchestratorError):
    """The form has another page to fill in.

    `members` has `form`, the JSON schema of that page, and `meta`, which tells in `hasNext` whether more follow.
    """

    def __init__(self, schema: dict[str, object], meta: dict[str, object] | None) -> None:
        super().__init__()
        self.members = {"form": schema, "meta": meta}
