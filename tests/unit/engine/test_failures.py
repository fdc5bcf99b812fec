"""What an exception in a step is described as."""

from __future__ import annotations

import pytest

from orchestrator.engine.failures import judge
from orchestrator.language.outcomes import StepError


class DetailedError(Exception):
    details = {"node": "ams"}


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class MissingError(KeyError):
    def __str__(self) -> str:
        return f"no {self.args[0]}"


def described(error: Exception) -> StepError:
    with pytest.raises(type(error)):
        raise error
    return judge(error, is_task=False).error


def test_an_error_is_described_with_class_message_traceback_and_details():
    error = described(DetailedError("it broke"))

    assert (error.class_name, error.message, error.details) == ("DetailedError", "it broke", {"node": "ams"})
    assert error.traceback.startswith("Traceback (most recent call last)")
    assert "test_failures.py" in error.traceback


def test_an_error_whose_text_cannot_be_made_is_described_nevertheless():
    assert described(SilentError()).message == "SilentError (its text cannot be shown: RuntimeError)"


def test_a_long_message_is_cut_after_it_was_made_storable():
    error = described(ValueError("\x00" * 10_000))

    assert len(error.message) == 10_000
    assert error.message.startswith("\\x00\\x00")
    assert error.message.endswith("…")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("port"), "KeyError: 'port'"),
        (ValueError(), "ValueError"),
        (AssertionError(""), "AssertionError"),
        (IndexError("list index out of range"), "list index out of range"),
        (MissingError("port"), "no port"),
    ],
)
def test_a_message_that_does_not_say_that_anything_went_wrong_has_the_class_before_it(error, message):
    assert described(error).message == message


def test_what_was_noted_on_an_error_is_in_its_message():
    error = ValueError("too much")
    error.add_note("in the third row")

    assert described(error).message == "too much; in the third row"
