"""`Workflow`: the value that a decorator makes of a function that returns steps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.language.admission import Authorizer, RunPredicate
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import Target


@dataclass(frozen=True)
class Workflow:
    """A workflow: a flat list of steps with unique keys, and how it is started.

    Attributes:
        name: the name of the function that it was made from.
        target: as the code has it; the row in the database wins.
        initial_input_form: a generator function of form pages, a page class, a function that returns one, or None.
        time_limit: the seconds that a process has from its start, None when it may take as long as it takes.
    """

    name: str
    description: str
    target: Target
    steps: tuple[Step, ...]
    initial_input_form: Any = None
    authorize_callback: Authorizer | None = None
    retry_auth_callback: Authorizer | None = None
    run_predicate: RunPredicate | None = None
    is_task: bool = False
    time_limit: float | None = None

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the steps in their order."""
        return tuple(one.key for one in self.steps)

    @cached_property
    def version(self) -> str:
        """A hash over keys and kinds of the steps: 64 hexadecimal digits. Names and code do not change it."""
        text = json.dumps([[one.key, one.kind] for one in self.steps])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def pinned(self) -> list[dict[str, Any]]:
        """The steps as a version of the workflow is stored: objects with key, name, kind and assignee."""
        return [
            {"key": one.key, "name": one.name, "kind": one.kind, "assignee": str(one.assignee)} for one in self.steps
        ]

    def step(self, key: str) -> Step | None:
        """The step with this key, None when there is none."""
        return self._steps_by_key.get(key)

    @cached_property
    def _steps_by_key(self) -> dict[str, Step]:
        return {one.key: one for one in self.steps}
