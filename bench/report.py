"""What a run found: what each contender gave in each round, and the ratios that were made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import click

from bench.figures import Figures


@dataclass
class Report:
    """The values of all rounds by title, with their unit; ratios by name; remarks."""

    series: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    ratios: dict[str, Figures] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, title: str, value: float, unit: str) -> None:
        """Write down and print what one round gave. A title begins with its case, as in `(a) ours`."""
        self.series.setdefault(title, []).append(value)
        self.units[title] = unit
        click.echo(f"  {title}: {value:,.{digits_of(value)}f} {unit}")

    def figures(self, title: str) -> Figures:
        """Of all rounds.

        Raises:
            ValueError: nothing has this title.
        """
        return Figures.of(self.series.get(title, ()))

    def ratio(self, name: str, mine: str, theirs: str) -> None:
        """Make a ratio of two titles, round by round."""
        self.ratios[name] = self.figures(mine).over(self.figures(theirs))

    def best(self, titles: Sequence[str], *, lowest: bool = False) -> str:
        """The title with the highest median, or the lowest, of those that were measured.

        One contender is chosen for all rounds: the best of each round would be a contender that does not exist.
        """
        measured = [title for title in titles if title in self.series]
        return (min if lowest else max)(measured, key=lambda title: self.figures(title).median)


def digits_of(value: float) -> int:
    """How many digits after the point say something."""
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
