"""Results for people: a table in the terminal, ratios first, and the tables of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.goals import GOALS
from bench.report import digits_of


def table(results: Mapping[str, Any], *, only: str | None = None) -> Iterator[str]:
    """Lines for a terminal.

    Args:
        results: as they are saved.
        only: the date of a run: what is of another is not shown.
    """
    yield f"{'ratio':<30} {'median (minimum to maximum)':<30} goal"
    for name, one in results["ratios"].items():
        if only in (None, one["date"]):
            word = "reached" if GOALS[name].reached(one["median"]) else "missed"
            yield f"{name:<30} {_span(one, 3):<30} {GOALS[name]}: {word}"
    yield ""
    for title, one in results["figures"].items():
        if only in (None, one["date"]):
            yield f"{title:<75} {_span(one)} {one['unit']}"
    for note in results["notes"]:
        yield f"note: {note}"
    yield f"{results['date']}, revision {results['revision']}; {_words(results['machine'])}"
    for name, packages in results["versions"].items():
        yield f"{name}: {', '.join(f'{package} {version}' for package, version in packages.items())}"


def markdown(results: Mapping[str, Any]) -> Iterator[str]:
    """The tables of `docs/performance.md`."""
    yield "| ratio | goal | median | minimum to maximum | what |"
    yield "|---|---|---|---|---|"
    for name, one in results["ratios"].items():
        missed = "" if GOALS[name].reached(one["median"]) else " (missed)"
        low, middle, high = (_number(one[which], 3) for which in ("minimum", "median", "maximum"))
        yield f"| `{name}` | {GOALS[name]} | **{middle}**{missed} | {low} to {high} | {GOALS[name].what} |"
    yield ""
    yield "| figure | unit | median | minimum to maximum | runs |"
    yield "|---|---|---|---|---|"
    for title, one in results["figures"].items():
        low, high = _number(one["minimum"]), _number(one["maximum"])
        yield f"| {title} | {one['unit']} | {_number(one['median'])} | {low} to {high} | {one['runs']} |"
    yield ""
    yield f"Measured on {_words(results['machine'])}; the last of it on {results['date'][:10]}, {results['revision']}:"
    for name, packages in results["versions"].items():
        yield f"- {name}: {', '.join(f'{package} {version}' for package, version in packages.items())}"
    for note in results["notes"]:
        yield f"- {note}"


def _span(one: Mapping[str, Any], digits: int | None = None) -> str:
    low, middle, high = (_number(one[name], digits) for name in ("minimum", "median", "maximum"))
    return f"{middle} ({low} to {high})"


def _number(value: float, digits: int | None = None) -> str:
    return f"{value:,.{digits_of(value) if digits is None else digits}f}"


def _words(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_mb']:,} MB, "
        f"{machine['system']}, Python {machine['python']}"
    )
