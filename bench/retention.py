"""`python -m bench.retention`: how many processes are deleted in a second, and what that costs the steps that run."""

from __future__ import annotations

import argparse
import threading
import time
from uuid import uuid4

import click

from bench.contenders.ours import Ours
from bench.contenders.tabled import TRIVIAL, Tabled
from bench.ground import ground
from bench.history import fill
from orchestrator.language.catalog import Catalog
from orchestrator.language.vocabulary import Actor
from orchestrator.services.cleaning import Cleaned, clean_up
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine
from orchestrator.testing.dispatcher import ListBell


def clean(one: Tabled, days: float) -> tuple[Cleaned, float]:
    """Delete validations and modifications that are older; what that was, and how many seconds it took."""
    database = Database(build_engine(one.url, application_name="bench retention"))
    settings = Settings(retention_days={"VALIDATE": days, "MODIFY": days})
    context = Context(database=database, catalog=Catalog(), bell=ListBell(), settings=settings)
    began = time.monotonic()
    try:
        return clean_up(context, Actor("bench"), uuid4()), time.monotonic() - began
    finally:
        database.dispose()


def measure(one: Tabled, processes: int, steps: int) -> None:
    """Alone, then while steps run; and steps with nobody who deletes, before and after."""
    fill(one.url, processes, steps)
    before = one.rate(TRIVIAL, 200, prefilled=True)
    cleaned, took = clean(one, 20.0)
    click.echo(
        f"alone: {cleaned.processes} processes of {steps} steps in {took:.1f} s: {cleaned.processes / took:.0f}/s"
    )
    beside: list[float] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            beside.append(one.rate(TRIVIAL, 100, prefilled=True))

    running = threading.Thread(target=run)
    running.start()
    cleaned, took = clean(one, 5.0)
    stop.set()
    running.join()
    after = one.rate(TRIVIAL, 200, prefilled=True)
    click.echo(f"beside steps: {cleaned.processes} in {took:.1f} s: {cleaned.processes / took:.0f}/s")
    rates = ", ".join(f"{rate:.0f}" for rate in beside)
    click.echo(f"steps/s: {before:.0f} before, {rates} meanwhile, {after:.0f} after")


def main() -> None:
    """On servers of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.retention", description=__doc__)
    parser.add_argument("--processes", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    with ground() as here, Ours().standing(here) as one:
        measure(one, given.processes, given.steps)


if __name__ == "__main__":
    main()
