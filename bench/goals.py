"""What the ratios are to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """At least a value, or at most one where less is better.

    Attributes:
        value: to be reached by the median.
        at_most: the ratio is one of times or bytes.
        what: the ratio in words.
    """

    value: float
    at_most: bool
    what: str

    def reached(self, median: float) -> bool:
        """Whether a median is good enough."""
        return median <= self.value if self.at_most else median >= self.value

    def __str__(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.value:g}"


def _least(value: float, what: str) -> Goal:
    return Goal(value, False, what)


def _most(value: float, what: str) -> Goal:
    return Goal(value, True, what)


GOALS: Mapping[str, Goal] = {
    "steps_vs_celery": _least(0.7, "(a) steps a second, of those of Celery alone"),
    "steps_vs_oc_best": _least(
        2.0, "(a) steps a second, of those of orchestrator-core's Celery executor, websockets off"
    ),
    "steps_vs_oc_default": _least(4.0, "(a) the same, websockets on"),
    "steps_vs_dbos": _least(1.5, "(a) steps a second, of those of DBOS' queue"),
    "burst_vs_commit_loop": _least(0.6, "(a) steps a second with bursts, of those of a bare loop of commits"),
    "burst_vs_oc_best": _least(7.0, "(a) steps a second with bursts, of those of orchestrator-core's best executor"),
    "latency_vs_oc_best": _most(0.4, "(b) start to completed, of that of orchestrator-core's best executor"),
    "burst_latency_vs_oc_best": _most(0.15, "(b) the same with bursts"),
    "post_per_cpu_vs_oc": _least(4.0, "(c) started processes for each second of CPU, of those of orchestrator-core"),
    "bytes_100_steps_100kb_vs_oc": _most(0.02, "(d) bytes of 100 steps with 100 kB, of those of orchestrator-core"),
    "step_time_100kb_vs_1kb": _most(1.5, "(d) time of a step with 100 kB, of that with 1 kB"),
    "list_time_1m_vs_1k": _most(1.5, "(e) first page or detail with 1,000,000 processes, of that with 1,000"),
    "load_100_blocks_vs_oc": _least(10.0, "(f) orchestrator-core's time to load 100 blocks, of ours"),
    "save_100_blocks_vs_oc": _least(10.0, "(f) orchestrator-core's time to save 100 blocks, of ours"),
    "steps_with_events_vs_oc": _least(2.0, "(g) as (a), with task events and Flower"),
}
