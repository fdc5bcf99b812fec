"""A bell: the one message there is. It says "look at this process"; losing or repeating it is harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class Ring:
    """One bell to send. Only `seq` matters; names are for Flower, `target` and `is_task` choose the queue."""

    seq: int
    process_id: UUID
    workflow: str
    step_key: str
    target: str
    is_task: bool


class Bell(Protocol):
    """Sends bells to the workers."""

    def ring(self, rings: Sequence[Ring]) -> int:
        """Send each ring once and say how many were sent.

        Never raises and never blocks for long: what could not be sent is logged and left to the recovery sweep.
        """
        ...


class CountingBell(Bell, Protocol):
    """A bell that can look into its queues."""

    def queued(self) -> Mapping[str, int] | None:
        """How many bells no worker has taken yet, by queue; None when the broker does not answer."""
        ...
