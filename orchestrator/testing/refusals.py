"""What a test gets when the orchestrator says no: to a start, an answer, a resume, a callback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.errors import CodeFailedError, FormIncompleteError, FormInvalidError, OrchestratorError
from orchestrator.testing.pages import BenchPage, shown_value


class Refused(Exception):
    """The orchestrator refused it; the message is what a client would be told, and why where authors' code failed."""


class AnswersRefused(Refused):
    """A page of the form does not fit.

    Attributes:
        page: its number, from 1.
        errors: what is wrong by the name of the field; `__root__` for the page as a whole.
    """

    def __init__(self, message: str, page: int, errors: dict[str, str]) -> None:
        super().__init__(message)
        self.page = page
        self.errors = errors


class AnswersMissing(Refused):
    """The form has another page to fill in.

    Attributes:
        page: that page.
    """

    def __init__(self, message: str, page: BenchPage) -> None:
        super().__init__(message)
        self.page = page


@contextmanager
def refusals(what: str, answers: list[dict[str, Any]]) -> Iterator[None]:
    """Errors of the services as refusals that speak of pages.

    Args:
        what: what was done, as the message begins.
        answers: the pages that were sent with it.
    """
    try:
        yield
    except FormIncompleteError as error:
        page = BenchPage(len(answers) + 1, error.members["form"] or {}, error.members["meta"])
        raise AnswersMissing(f"{what} asks for page {page}", page) from error
    except FormInvalidError as error:
        answer = answers[error.page - 1] if error.page <= len(answers) else {}
        told = _by_field(error)
        lines = [
            f"  {field}: {message}{f' (given {shown_value(answer[field])})' if field in answer else ''}"
            for field, message in told.items()
        ]
        head = f"{what}: page {error.page} of the form does not fit"
        raise AnswersRefused("\n".join([head, *lines]), error.page, told) from error
    except OrchestratorError as error:
        said = error.in_full if isinstance(error, CodeFailedError) else str(error)
        raise Refused(said if said.startswith(what) else f"{what}: {said}") from error


def _by_field(error: FormInvalidError) -> dict[str, str]:
    told: dict[str, str] = {}
    for one in error.members["validation_errors"]:
        location: Any = one["loc"]
        name = ".".join(map(str, location)) or "__root__"
        message = str(one["msg"]).removeprefix("Value error, ")
        told[name] = f"{told[name]}; {message}" if name in told else message
    return told
