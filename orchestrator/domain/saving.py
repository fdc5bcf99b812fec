"""Models in what a step returned: each is saved once and stands in the state as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.domain.shape import DomainModel
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.errors import ValuesDoNotFitError
from orchestrator.language.json_values import DEEPEST


def as_state(model: DomainModel) -> dict[str, Any]:
    """The model with all its blocks and computed fields as plain JSON values.

    Raises:
        ValuesDoNotFitError: a computed field fails, or a value is not of its type any more.
    """
    try:
        return model.model_dump(mode="json", warnings="error")
    except Exception as error:
        raise ValuesDoNotFitError(f"{type(model).__qualname__} cannot be shown: {error}") from error


def contains_models(value: Any, depth: int = 0) -> bool:
    """Whether a subscription model stands anywhere in dicts, lists and tuples, as deep as they can be stored."""
    match value:
        case SubscriptionModel():
            return True
        case _ if depth > DEEPEST:
            return False
        case Mapping():
            return any(contains_models(item, depth + 1) for item in value.values())
        case list() | tuple():
            return any(contains_models(item, depth + 1) for item in value)
        case _:
            return False


def save_models(value: Mapping[str, Any]) -> dict[str, Any]:
    """Save every subscription model in a step's delta, and give the delta with their values instead.

    A model that stands there twice is saved once; blocks that stand there alone are not saved. What is neither a model
    nor a container is left as it is.

    Raises:
        OrchestratorError: as `SubscriptionModel.save`.
    """
    saved: dict[int, dict[str, Any]] = {}
    return {key: _replace(item, saved, 0) for key, item in value.items()}


def _replace(value: Any, saved: dict[int, dict[str, Any]], depth: int) -> Any:
    match value:
        case SubscriptionModel():
            # The delta holds the model, so its identity is not given to another object meanwhile.
            if id(value) not in saved:
                value.save()
                saved[id(value)] = as_state(value)
            return saved[id(value)]
        case DomainModel():
            return as_state(value)
        case _ if depth > DEEPEST:
            return value  # it contains itself, or is refused for its depth where it is made JSON
        case Mapping():
            return {key: _replace(item, saved, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_replace(item, saved, depth + 1) for item in value]
        case _:
            return value
