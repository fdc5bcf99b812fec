"""Starts processes through the use case that the API calls; an order is a workflow, how many, seconds between two."""

from __future__ import annotations

import time

from bench.peers.orders import obey
from orchestrator.bootstrap.context import build_context
from orchestrator.language.vocabulary import Actor
from orchestrator.services.starting import start_process
from orchestrator.settings import read_settings


def main() -> None:
    """One after the other."""
    context = build_context(read_settings(), "bench")

    def start(workflow: str, count: int, pause: float) -> None:
        for _ in range(count):
            start_process(context, Actor("bench"), workflow)
            time.sleep(pause)

    obey(start)


main()
