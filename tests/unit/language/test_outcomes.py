"""What a step ends in, and the small values of the vocabulary."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from orchestrator.language.outcomes import Done, Failed, StepError
from orchestrator.language.vocabulary import REMOVED, SYSTEM_ACTOR, Actor, ProcessStatus, Removed


class DetailedError(Exception):
    details = {"node": "ams"}


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_is_described_with_class_message_traceback_and_details():
    try:
        raise DetailedError("it broke")
    except DetailedError as error:
        described = StepError.of(error)

    assert (described.class_name, described.message, described.details) == (
        "DetailedError",
        "it broke",
        {"node": "ams"},
    )
    assert described.traceback.startswith("Traceback (most recent call last)")
    assert "test_outcomes.py" in described.traceback
    assert described.as_json() == {
        "class": "DetailedError",
        "error": "it broke",
        "traceback": described.traceback,
        "details": {"node": "ams"},
    }
    assert "details" not in StepError("E", "m").as_json()


def test_the_texts_of_an_error_can_always_be_stored():
    described = StepError.of(ValueError("a\x00b\ud800c"))
    assert described.message == "ab\\ud800c"
    assert "\x00" not in described.traceback
    json.dumps(described.as_json(), ensure_ascii=False).encode()


def test_an_error_whose_text_cannot_be_made_is_described_nevertheless():
    assert "RuntimeError" in StepError.of(SilentError()).message


def test_removed_stays_itself_when_a_state_is_copied():
    state = {"a": [REMOVED]}
    assert copy.deepcopy(state)["a"][0] is REMOVED
    assert copy.copy(REMOVED) is REMOVED
    assert pickle.loads(pickle.dumps(REMOVED)) is REMOVED
    assert Removed() is REMOVED
    assert repr(REMOVED) == "REMOVED"
    with pytest.raises(TypeError):
        json.dumps(state)


def test_defaults_say_what_is_usual():
    assert Done() == Done({}, ())
    assert Done().delta is not Done().delta
    assert Failed(StepError("E", "m")).status is ProcessStatus.FAILED
    assert Actor("SYSTEM") == SYSTEM_ACTOR
