"""What a step ends in, and the small values of the vocabulary."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from orchestrator.language.outcomes import Done, Failed, StepError
from orchestrator.language.vocabulary import REMOVED, ProcessStatus, Removed


def test_the_texts_of_an_error_can_always_be_stored():
    error = StepError("E\x00", "a\x00b\ud800c", "at \x00")

    assert (error.class_name, error.message, error.traceback) == ("E\\x00", "a\\x00b\\ud800c", "at \\x00")
    json.dumps(error.as_json(), ensure_ascii=False).encode()


def test_an_error_without_details_shows_none():
    assert StepError("E", "m", "t").as_json() == {"class": "E", "error": "m", "traceback": "t"}
    assert StepError("E", "m", "t", {"node": "ams"}).as_json()["details"] == {"node": "ams"}


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
