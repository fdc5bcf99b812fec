"""How the benchmark talks with a program that it started: all that peers' programs and this project's share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

# Tells an answer from what a library printed before it was told not to.
MARK = "answer: "


def obey(do: Callable[..., Any]) -> None:
    """Do what each line of standard input tells, a list of arguments as JSON; answer with a line of JSON, what it gave.

    The first answer says that the program is ready. Whatever else is printed goes to standard error.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _answer(answers, None)
    for line in sys.stdin:
        _answer(answers, do(*json.loads(line)))


def _answer(answers: Any, found: Any) -> None:
    answers.write(MARK + json.dumps(found) + "\n")
    answers.flush()
