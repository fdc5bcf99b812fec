"""How much is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.ground import Ground
from bench.report import Report


@dataclass(frozen=True)
class Extent:
    """How often and how far.

    Attributes:
        runs: of each contender in each case.
        quick: in short, and no more than the ratios of (a) to (c) need.
        growth: with the sizes that take minutes to make.
    """

    runs: int
    quick: bool = False
    growth: bool = False


Case = Callable[[Ground, Report, Extent], None]
