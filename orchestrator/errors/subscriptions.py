"""Subscriptions, their models and their products."""

from __future__ import annotations

from orchestrator.errors.tree import ConflictError, InvalidInputError, NotFoundError, OrchestratorError


class SubscriptionNotFoundError(NotFoundError):
    """There is no such subscription."""


class ProductNotFoundError(NotFoundError):
    """There is no such product."""


class BlockNotFoundError(NotFoundError):
    """There is no such block."""


class ProductNotRegisteredError(OrchestratorError):
    """No model is registered for this product."""


class WrongProductError(InvalidInputError):
    """The subscription belongs to a product of another model."""


class LifecycleError(ConflictError):
    """The model does not suit the status of the subscription."""


class UnsafeTransitionError(ConflictError):
    """The status cannot change while other subscriptions use this one."""


class ValuesDoNotFitError(InvalidInputError):
    """The values of a subscription do not fit its model."""


class StaleSubscriptionError(ConflictError):
    """The subscription was changed by somebody else after it was loaded."""


class SubscriptionHeldError(ConflictError):
    """The subscription is out of sync: another process holds it."""


class UnusableSubscriptionError(ConflictError):
    """The workflow may not run on the subscription any more: something changed after the process was started."""


class BlockUnavailableError(ConflictError):
    """A block cannot be referred to: its subscription has ended, or is being terminated."""


class BlockCycleError(InvalidInputError):
    """A block refers to itself through other blocks."""


class BlockOwnershipError(InvalidInputError):
    """A block stands in a place where a block of this owner cannot stand."""


class BlockInUseError(ConflictError):
    """A block cannot be removed: another subscription uses it."""


class MissingSubscriptionError(InvalidInputError):
    """The state names no subscription: it has neither `subscription_id` nor `subscription`."""


class ProductInUseError(InvalidInputError):
    """A product with subscriptions that are not terminated cannot be at the end of its life."""


class UnfinishedProcessesError(ConflictError):
    """The subscription has processes that are not finished."""
