"""Walks a form page by page, as the forms of a client do, and starts or resumes with what was entered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.testing.pages import BenchPage
from orchestrator.testing.refusals import AnswersMissing, AnswersRefused, refusals

if TYPE_CHECKING:
    from orchestrator.testing.processes import BenchProcess

Answers = list[dict[str, Any]]


class BenchForm:
    """A form that is being filled in. Nothing is written before `submit`."""

    def __init__(
        self, what: str, check: Callable[[Answers], dict[str, Any]], submit: Callable[[Answers], BenchProcess]
    ) -> None:
        self._what = what
        self._check = check
        self._submit = submit
        self._answers: Answers = []
        self._page: BenchPage | None = None
        self._entered: dict[str, Any] | None = None
        self._take([])

    @property
    def page(self) -> BenchPage:
        """The page that is asked for now.

        Raises:
            AssertionError: the form is filled in.
        """
        if self._page is None:
            raise AssertionError(f"{self._what}: all pages are filled in: {self._answers}")
        return self._page

    @property
    def is_complete(self) -> bool:
        """Whether there is no further page."""
        return self._page is None

    @property
    def answers(self) -> Answers:
        """The pages that were filled in so far."""
        return [dict(one) for one in self._answers]

    @property
    def entered(self) -> dict[str, Any]:
        """What the form returned, as the first step finds it in the state.

        Raises:
            AssertionError: there is another page to fill in.
        """
        if self._entered is None:
            raise AssertionError(f"{self._what} asks for page {self._page}")
        return self._entered

    def answer(self, answer: Mapping[str, Any] | None = None, /, **fields: Any) -> BenchForm:
        """Fill in the page that is asked for.

        Args:
            answer: its fields.
            fields: the same, or more of them.

        Returns:
            This form, which asks for the next page now.

        Raises:
            AnswersRefused: it does not fit; the form still asks for it.
            AssertionError: the form is filled in.
            Refused: the form's code said no.
        """
        if self._page is None:
            raise AssertionError(f"{self._what}: all pages are filled in: {self._answers}")
        self._take([*self._answers, {**(answer or {}), **fields}])
        return self

    def errors(self, answer: Mapping[str, Any] | None = None, /, **fields: Any) -> dict[str, str]:
        """What would be wrong with such an answer, by the name of the field; empty when it fits."""
        number = self.page.number
        try:
            with refusals(self._what, answers := [*self._answers, {**(answer or {}), **fields}]):
                self._check(answers)
        except AnswersRefused as refused:
            if refused.page != number:
                raise
            return refused.errors
        except AnswersMissing:
            return {}
        return {}

    def submit(self) -> BenchProcess:
        """Start, or resume, with all pages that were filled in, and run.

        Raises:
            AssertionError: there is another page to fill in.
            Refused: the orchestrator said no.
        """
        if self._page is not None:
            raise AssertionError(f"{self._what} asks for page {self._page}")
        return self._submit(self._answers)

    def _take(self, answers: Answers) -> None:
        try:
            with refusals(self._what, answers):
                entered = self._check(answers)
        except AnswersMissing as missing:
            self._answers, self._page = answers, missing.page
        else:
            self._answers, self._page, self._entered = answers, None, entered
