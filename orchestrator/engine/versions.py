"""The step lists that processes are pinned to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.engine.connection import WorkerConnection
from orchestrator.errors import OrchestratorError
from orchestrator.storage.step_statements import VERSION


@dataclass(frozen=True)
class PinnedStep:
    """One step of a pinned list, as it was when the process started."""

    key: str
    name: str
    kind: str = "call"


@dataclass(frozen=True)
class PinnedVersion:
    """The step list of one version of one workflow."""

    workflow_name: str
    hash: str
    steps: tuple[PinnedStep, ...]

    @property
    def takes_unchecked(self) -> bool:
        """Whether a step of it takes a subscription that may be out of sync: it only looks, or it mends."""
        return any(step.kind == "unsync_unchecked" for step in self.steps)


class VersionCache:
    """Pinned step lists by their id. They never change, so they are read once for each worker."""

    def __init__(self) -> None:
        self._versions: dict[int, PinnedVersion] = {}

    def get(self, connection: WorkerConnection, version_id: int) -> PinnedVersion:
        """The version with this id, read from the database if it is new to this worker.

        Raises:
            OrchestratorError: there is none.
            psycopg.Error: the database does not answer.
        """
        version = self._versions.get(version_id)
        if version is None:
            row = connection.row(VERSION, {"version_id": version_id})
            if row is None:
                raise OrchestratorError(f"there is no workflow version {version_id}")
            version = PinnedVersion(row[0], row[1], _steps(row[2]))
            self._versions[version_id] = version
        return version


def _steps(items: list[dict[str, Any]]) -> tuple[PinnedStep, ...]:
    return tuple(PinnedStep(item["key"], item["name"], item.get("kind", "call")) for item in items)
