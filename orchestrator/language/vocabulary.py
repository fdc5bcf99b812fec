"""The words that every floor shares: targets, lifecycles, statuses, who acts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

State = dict[str, Any]
UUIDstr = str


class Target(StrEnum):
    """What a workflow does to a subscription."""

    CREATE = "CREATE"
    MODIFY = "MODIFY"
    TERMINATE = "TERMINATE"
    SYSTEM = "SYSTEM"
    VALIDATE = "VALIDATE"
    RECONCILE = "RECONCILE"


# The built-in workflows that each product has from the beginning.
ON_EVERY_PRODUCT: Final = frozenset({"modify_note"})


class SubscriptionLifecycle(StrEnum):
    """The states of a subscription."""

    INITIAL = "initial"
    ACTIVE = "active"
    MIGRATING = "migrating"
    DISABLED = "disabled"
    TERMINATED = "terminated"
    PROVISIONING = "provisioning"


class ProcessStatus(StrEnum):
    """The states of a process."""

    CREATED = "created"
    RUNNING = "running"
    SUSPENDED = "suspended"
    WAITING = "waiting"
    AWAITING_CALLBACK = "awaiting_callback"
    FAILED = "failed"
    INCONSISTENT_DATA = "inconsistent_data"
    API_UNAVAILABLE = "api_unavailable"
    ABORTED = "aborted"
    COMPLETED = "completed"
    RESUMED = "resumed"


class StepStatus(StrEnum):
    """What a step ended in."""

    SUCCESS = "success"
    SKIPPED = "skipped"
    SUSPEND = "suspend"
    WAITING = "waiting"
    AWAITING_CALLBACK = "awaiting_callback"
    FAILED = "failed"
    ABORT = "abort"
    COMPLETE = "complete"


class Assignee(StrEnum):
    """Who has to look at a process next. Any other text may be used instead."""

    SYSTEM = "SYSTEM"
    NOC = "NOC"
    CHANGES = "CHANGES"
    CUSTOMER_SUPPORT = "CUSTOMER_SUPPORT"


@dataclass(frozen=True)
class Actor:
    """Who does something: a person, a client or the system, with the roles that it holds."""

    name: str
    roles: tuple[str, ...] = ()


class Removed:
    """The type of `REMOVED`, of which there is one value only."""

    _value: Removed | None = None

    def __new__(cls) -> Removed:
        """Return the one value."""
        if cls._value is None:
            cls._value = super().__new__(cls)
        return cls._value

    def __repr__(self) -> str:
        return "REMOVED"

    # A copy is the value itself, so that `is REMOVED` holds after a state was copied or pickled.
    def __copy__(self) -> Removed:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Removed:
        return self

    def __reduce__(self) -> str:
        return "REMOVED"


REMOVED: Final = Removed()
"""A step that returns `{"key": REMOVED}` deletes that key from the state."""
