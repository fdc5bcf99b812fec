"""Figures of several runs, and ratios of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figures:
    """Minimum, median and maximum of what several runs gave, in one unit."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Figures:
        """Of at least one value.

        Raises:
            ValueError: there is none.
        """
        if not values:
            raise ValueError("no run gave a figure")
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    def over(self, other: Figures) -> Figures:
        """The ratio of the runs of two contenders that stood beside each other, pair by pair."""
        return Figures.of([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def as_json(self) -> dict[str, float]:
        """`minimum`, `median`, `maximum`."""
        return {"minimum": min(self.values), "median": self.median, "maximum": max(self.values)}

    def shown(self, digits: int = 0) -> str:
        """`median (minimum to maximum)`."""
        low, middle, high = (f"{value:,.{digits}f}" for value in (min(self.values), self.median, max(self.values)))
        return f"{middle} ({low} to {high})"
