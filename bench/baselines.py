"""What was seen before on a machine with two cores, and what is too far from it to be compared."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from statistics import median

FAR = 0.4

# Steps a second with a queue that was filled before, lowest and highest of several days.
STEPS: Mapping[str, tuple[float, float]] = {
    "Celery alone": (510, 900),
    "orchestrator-core, Celery, websockets off": (183, 285),
    "orchestrator-core, Celery, websockets on": (98, 137),
    "DBOS queue": (254, 302),
    "bare commit loop": (3400, 3800),
}


def remarks(found: Mapping[str, float]) -> list[str]:
    """A sentence for each contender that is more than 40% off, with what the others say of the reason.

    Args:
        found: steps a second by contender.
    """
    drifts = {name: value / sqrt(STEPS[name][0] * STEPS[name][1]) for name, value in found.items() if name in STEPS}
    said = []
    for name in drifts:
        low, high = STEPS[name]
        if (1 - FAR) * low <= found[name] <= (1 + FAR) * high:
            continue
        said.append(
            f"(a) {name}: {found[name]:,.0f} steps/s is more than {FAR:.0%} off what was seen before "
            f"({low:,g} to {high:,g}): not comparable. {_reason(name, drifts)}"
        )
    return said


def _reason(name: str, drifts: Mapping[str, float]) -> str:
    others = [drift for other, drift in drifts.items() if other != name]
    if not others:
        return "No other contender was measured that could tell whether it is the machine."
    usual = median(others)
    if (usual > 1) == (drifts[name] > 1) and abs(usual - 1) > FAR / 2:
        return f"It is the machine: the others are {usual:.2f} times what they were, too, so ratios of one run stand."
    return f"It is not the machine: the others are {usual:.2f} times what they were; look at its log and its version."
