"""Keys of steps: a step's place in its workflow, by which a running process finds it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

from orchestrator.errors import AuthoringError
from orchestrator.language.step_list import Step, StepList

_KEY = re.compile(r"[\w.\-]{1,200}")


def key_of(name: str, function: Any, key: str | None) -> str:
    """The key that the author chose, else one that is made of the name of the function.

    Raises:
        AuthoringError: the chosen one cannot be a key.
    """
    if key is None:
        written = getattr(function, "__name__", "")
        return written if written.isidentifier() else slug(name, "step")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise AuthoringError(f"step {name!r}: a key is made of letters, digits, '_', '-' and '.', not {key!r}")
    return key


def slug(name: str, otherwise: str) -> str:
    """A name as a key: lower case, with underscores."""
    return re.sub(r"\W+", "_", name.lower()).strip("_")[:100] or otherwise


def with_unique_keys(name: str, steps: StepList) -> tuple[Step, ...]:
    """Number the keys that repeat. A key that the author chose is never changed, so it must not be taken.

    Raises:
        AuthoringError: the author chose a key that another step has.
    """
    natural = {one.key for one in steps if not one.has_own_key}
    given: Counter[str] = Counter()
    keyed: list[Step] = []
    for one in steps:
        if one.has_own_key:
            keyed.append(one)
            continue
        key = one.key
        given[key] += 1
        while given[one.key] > 1:
            key = f"{one.key}_{given[one.key]}"
            if key not in natural:
                break
            given[one.key] += 1
        keyed.append(replace(one, key=key))
    for key, times in Counter(one.key for one in keyed).items():
        if times > 1:
            names = " and ".join(repr(one.name) for one in keyed if one.key == key)
            raise AuthoringError(f"workflow {name!r}: the key {key!r} is that of {times} steps: {names}")
    return tuple(keyed)
