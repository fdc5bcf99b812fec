"""The workbench of authors: a pytest plugin that runs their workflows on a real database, without a broker.

Names are looked up when they are first used: a test run that does not use the workbench does not pay for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.testing.forms import BenchForm
    from orchestrator.testing.pages import BenchPage
    from orchestrator.testing.processes import BenchProcess, BenchStep
    from orchestrator.testing.refusals import AnswersMissing, AnswersRefused, Refused
    from orchestrator.testing.subscriptions import BenchSubscription
    from orchestrator.testing.workbench import Workbench

__all__ = [
    "AnswersMissing",
    "AnswersRefused",
    "BenchForm",
    "BenchPage",
    "BenchProcess",
    "BenchStep",
    "BenchSubscription",
    "Refused",
    "Workbench",
]

_HOMES = {
    "AnswersMissing": "refusals",
    "AnswersRefused": "refusals",
    "BenchForm": "forms",
    "BenchPage": "pages",
    "BenchProcess": "processes",
    "BenchStep": "processes",
    "BenchSubscription": "subscriptions",
    "Refused": "refusals",
    "Workbench": "workbench",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
