"""docs/reliability.md tells of the faults that the harness knows, and holds what it promises."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.kinds import FAULTS, LONGEST_MEDIANS

PAGE = Path(__file__).parents[2] / "docs/reliability.md"


def table(mark: str) -> dict[str, list[str]]:
    """The cells after the first one of each row, by the name of the fault."""
    lines = PAGE.read_text().partition(f"<!-- {mark}:")[2].splitlines()[3:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    assert rows
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_fault_is_explained() -> None:
    assert list(table("faults")) == list(FAULTS)


def test_the_times_to_recover_are_within_what_is_allowed() -> None:
    times = table("times")
    assert list(times) == list(FAULTS)
    assert {kind: float(row[-1]) for kind, row in times.items() if row[-1]} == LONGEST_MEDIANS
    for kind, (strikes, shortest, median, longest, allowed) in times.items():
        assert int(strikes) >= 50, kind
        assert float(shortest) <= float(median) <= float(longest), kind
        assert not allowed or float(median) <= float(allowed), kind
