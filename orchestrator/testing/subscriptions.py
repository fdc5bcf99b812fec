"""A subscription, as it is at the moment at which it is asked."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.services.context import Context
from orchestrator.services.subscription_views import (
    SubscriptionEntry,
    depends_on,
    in_use_by,
    subscription_entry,
    subscription_model,
)

Model = TypeVar("Model", bound=SubscriptionModel)


class BenchSubscription:
    """A subscription of the database under test. Each look at it is a new one."""

    def __init__(self, context: Context, subscription_id: UUID) -> None:
        self._context = context
        self.subscription_id = subscription_id

    @property
    def status(self) -> str:
        """Its lifecycle status, `active` for one."""
        return self._entry.status

    @property
    def insync(self) -> bool:
        """Whether no process holds it."""
        return self._entry.insync

    @property
    def description(self) -> str:
        """What people are shown of it."""
        return self._entry.description

    @property
    def product(self) -> str:
        """The name of its product."""
        return self._entry.product.name

    @property
    def customer_id(self) -> str:
        """Whose it is."""
        return self._entry.customer_id

    @property
    def version(self) -> int:
        """How often it was changed."""
        return self._entry.version

    @property
    def values(self) -> dict[str, Any]:
        """The subscription with its blocks, as JSON values, as the API gives it."""
        return subscription_model(self._context, self.subscription_id)

    @property
    def in_use_by(self) -> list[BenchSubscription]:
        """The subscriptions that use a block of this one, oldest first."""
        found = in_use_by(self._context, self.subscription_id)
        return [BenchSubscription(self._context, one.subscription_id) for one in found]

    @property
    def depends_on(self) -> list[BenchSubscription]:
        """The subscriptions of which this one uses a block, oldest first."""
        found = depends_on(self._context, self.subscription_id)
        return [BenchSubscription(self._context, one.subscription_id) for one in found]

    def load(self, model: type[Model]) -> Model:
        """The subscription as this model of its product.

        Raises:
            LifecycleError, WrongProductError: it is not for this status, or of another product.
        """
        with self._context.database.reading():
            return model.from_subscription(self.subscription_id)

    def expect(self, status: str | None = None, *, insync: bool | None = None) -> BenchSubscription:
        """Go on only when it has this status, and is in sync or not.

        Raises:
            AssertionError: it is not as expected; the message says how it is.
        """
        __tracebackhide__ = True
        entry = self._entry
        if status not in (None, entry.status) or insync not in (None, entry.insync):
            wanted = [str(status)] if status is not None else []
            wanted += ["in sync" if insync else "out of sync"] if insync is not None else []
            raise AssertionError(f"{self} should be {', '.join(wanted)}")
        return self

    def __str__(self) -> str:
        entry = self._entry
        synced = "in sync" if entry.insync else "out of sync"
        return f"subscription {self.subscription_id} ({entry.description}) is {entry.status}, {synced}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BenchSubscription) and other.subscription_id == self.subscription_id

    def __hash__(self) -> int:
        return hash(self.subscription_id)

    @property
    def _entry(self) -> SubscriptionEntry:
        return subscription_entry(self._context, self.subscription_id)
