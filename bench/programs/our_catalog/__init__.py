"""The same workflow as every contender runs: ten steps, of which eight are the author's and trivial."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from bench.programs.our_catalog.tree import PRODUCT, Site
from orchestrator import Catalog, State, Step, StepList, Workflow, begin, step, task

TRIVIAL_STEPS = 8


def trivial(number: int) -> Step:
    """A step that changes one small value."""

    @step(f"Step {number}", key=f"step_{number}")
    def change_little() -> State:
        return {"step": number}

    return change_little


def filling(kilobytes: int) -> Step:
    """A step that puts so much text into the state."""

    @step(f"Fill {kilobytes} kB", key="fill")
    def fill() -> State:
        return {"filling": text_of(kilobytes)}

    return fill


def text_of(kilobytes: int) -> str:
    """Text that compresses about as well as the JSON of an outside system does."""
    lines = (f"interface-{number}: vlan {number * 7919 % 4096}, " for number in range(kilobytes * 64))
    return "".join(lines)[: kilobytes * 1000]


def _named(name: str, steps: StepList) -> Workflow:
    def listing() -> StepList:
        return steps

    listing.__name__ = listing.__qualname__ = name
    made: Callable[[Callable[[], StepList]], Workflow] = task(name)
    return made(listing)


def _trivial_steps(count: int) -> StepList:
    steps = begin
    for number in range(count):
        steps = steps >> trivial(number)
    return steps


WORKFLOWS = {"bench_trivial": _trivial_steps(TRIVIAL_STEPS)} | {
    f"bench_state_{kilobytes}_{count}": begin >> filling(kilobytes) >> _trivial_steps(count - 3)
    for kilobytes, count in [*itertools.product((1, 10, 100), (10, 100)), (100, 1_000)]
}


def register(catalog: Catalog) -> None:
    """Add them, and the product."""
    catalog.add_product(PRODUCT, Site)
    for name, steps in WORKFLOWS.items():
        catalog.add_workflow(_named(name, steps))
