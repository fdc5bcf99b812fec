"""Starts processes through the use case that the API calls: workflow, how many, seconds of pause between two."""

from __future__ import annotations

import sys
import time

from orchestrator.bootstrap.context import build_context
from orchestrator.language.vocabulary import Actor
from orchestrator.services.starting import start_process
from orchestrator.settings import read_settings


def main() -> None:
    """One after the other."""
    workflow, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    context = build_context(read_settings(), "bench")
    for _ in range(count):
        start_process(context, Actor("bench"), workflow)
        time.sleep(pause)


main()
