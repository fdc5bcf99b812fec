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
        """The ratios of two contenders, run by run: those of a round stood beside each other, and the machine drifts.

        A quotient of the two medians would compare a run in a good minute with one in a bad minute.

        Raises:
            ValueError: they have not as many runs.
        """
        return Figures.of([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def as_json(self) -> dict[str, float]:
        """`minimum`, `median`, `maximum`."""
        return {"minimum": min(self.values), "median": self.median, "maximum": max(self.values)}
