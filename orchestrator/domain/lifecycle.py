"""Which variant of a model suits which status, and which changes of status are safe. Values only, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.errors import AuthoringError, UnsafeTransitionError
from orchestrator.language.vocabulary import SubscriptionLifecycle

# In which status the users of a subscription must be, for it to take the status of the key.
SAFE_STATUSES_OF_USERS: Final[Mapping[SubscriptionLifecycle, frozenset[SubscriptionLifecycle]]] = {
    SubscriptionLifecycle.INITIAL: frozenset({SubscriptionLifecycle.INITIAL}),
    SubscriptionLifecycle.PROVISIONING: frozenset(
        {
            SubscriptionLifecycle.INITIAL,
            SubscriptionLifecycle.PROVISIONING,
            SubscriptionLifecycle.ACTIVE,
            SubscriptionLifecycle.TERMINATED,
        }
    ),
    SubscriptionLifecycle.ACTIVE: frozenset(SubscriptionLifecycle),
    SubscriptionLifecycle.MIGRATING: frozenset(
        {SubscriptionLifecycle.INITIAL, SubscriptionLifecycle.MIGRATING, SubscriptionLifecycle.TERMINATED}
    ),
    SubscriptionLifecycle.DISABLED: frozenset(
        {SubscriptionLifecycle.INITIAL, SubscriptionLifecycle.DISABLED, SubscriptionLifecycle.TERMINATED}
    ),
    SubscriptionLifecycle.TERMINATED: frozenset({SubscriptionLifecycle.INITIAL, SubscriptionLifecycle.TERMINATED}),
}


def read_lifecycle(model_name: str, lifecycle: object) -> frozenset[SubscriptionLifecycle] | None:
    """The statuses of a `lifecycle=[...]` keyword; None when it was not given.

    Raises:
        AuthoringError: it is no list, an empty one, or names a status that does not exist.
    """
    if lifecycle is None:
        return None
    if isinstance(lifecycle, str) or not isinstance(lifecycle, Iterable):
        raise AuthoringError(f"{model_name}: lifecycle must be a list of statuses, not {lifecycle!r}")
    try:
        statuses = frozenset(SubscriptionLifecycle(status) for status in lifecycle)
    except ValueError as error:
        known = ", ".join(status.value for status in SubscriptionLifecycle)
        raise AuthoringError(f"{model_name}: {error}; the statuses are {known}") from None
    if not statuses:
        raise AuthoringError(f"{model_name}: lifecycle is an empty list")
    return statuses


class Variants:
    """The classes of one model: its base, and one for each status that has stricter values."""

    def __init__(self, base: type) -> None:
        self.base = base
        self._default: type | None = None
        self._by_status: dict[SubscriptionLifecycle, type] = {}

    def add(self, variant: type, lifecycle: frozenset[SubscriptionLifecycle] | None) -> None:
        """Let `variant` stand for these statuses, or for all others when there are none.

        Raises:
            AuthoringError: another class stands for one of the statuses already.
        """
        if lifecycle is None:
            self._default = variant
            return
        for status in lifecycle:
            present = self._by_status.get(status)
            if present is not None and _place(present) != _place(variant):
                raise AuthoringError(
                    f"{variant.__qualname__} and {present.__qualname__} are both the variant of "
                    f"{self.base.__qualname__} for {status.value}"
                )
            self._by_status[status] = variant

    def variant(self, asked: type, status: SubscriptionLifecycle) -> type:
        """The class for a status: the one made for it, else the general one, else the one that was asked."""
        return self._by_status.get(status) or self._default or asked


def _place(model: type) -> tuple[str, str]:
    return model.__module__, model.__qualname__


def check_users(status: SubscriptionLifecycle, users: Iterable[tuple[str, SubscriptionLifecycle]]) -> None:
    """May a subscription take this status, given its users as pairs of description and status?

    Raises:
        UnsafeTransitionError: a user is in a status that needs more than that.
    """
    safe = SAFE_STATUSES_OF_USERS[status]
    unsafe = [f"{description!r} ({used.value})" for description, used in users if used not in safe]
    if unsafe:
        raise UnsafeTransitionError(
            f"The status cannot become {status.value} while other subscriptions use this one: {', '.join(unsafe)}"
        )
