"""What can be made to go wrong, and for how many calls."""

from __future__ import annotations

from threading import Lock
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Fault(BaseModel):
    """One fault for every call whose path begins with `path`.

    `seconds` delays the call. `status` refuses it before anything has happened. `answer` lets it happen and spoils what
    the caller hears: text that is not JSON, nothing at all, or a body of your own.
    """

    model_config = ConfigDict(extra="forbid")

    path: str = Field(pattern="^/(esdb|nso)")
    method: Literal["GET", "PUT", "DELETE"] | None = Field(None, description="Not given: all of them.")
    times: int | None = Field(1, ge=1, description="How many calls it spoils; null: until it is removed.")
    seconds: float = Field(0, ge=0, le=600)
    status: int | None = Field(None, ge=400, le=599)
    answer: Literal["malformed", "empty"] | dict[str, Any] | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Fault:
        if self.status is None and self.answer is None and not self.seconds:
            raise ValueError("a fault needs a status, an answer or some seconds")
        return self

    def hits(self, method: str, path: str) -> bool:
        """Whether a call is one of those that it spoils."""
        return path.startswith(self.path) and self.method in (None, method)


class Faults:
    """The faults that are switched on, in the order in which they were."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on, in place of one with the same path and method."""
        with self._lock:
            others = [known for known in self._faults if (known.path, known.method) != (fault.path, fault.method)]
            self._faults = [*others, fault]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that spoils this call, counted down."""
        with self._lock:
            fault = next((known for known in self._faults if known.hits(method, path)), None)
            if fault is None or fault.times is None:
                return fault
            self._faults.remove(fault)
            if fault.times > 1:
                self._faults.append(fault.model_copy(update={"times": fault.times - 1}))
            return fault

    def clear(self) -> None:
        """Switch all of them off."""
        with self._lock:
            self._faults = []

    def as_json(self) -> list[dict[str, Any]]:
        """What is still to come."""
        with self._lock:
            return [fault.model_dump() for fault in self._faults]
