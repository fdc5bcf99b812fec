"""What forms and steps look up: subscriptions and products to choose from, and locks for checks that must hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from orchestrator.domain.blocks import as_uuid
from orchestrator.errors import SubscriptionNotFoundError
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage import subscription_finding
from orchestrator.storage.session import db
from orchestrator.storage.subscription_finding import FoundProduct
from orchestrator.storage.subscription_relations import RelatedSubscription


def find_subscriptions(
    product_type: str,
    *,
    statuses: Sequence[SubscriptionLifecycle | str] = (SubscriptionLifecycle.ACTIVE,),
    insync: bool | None = True,
    customer_id: str | None = None,
    most: int = 1000,
) -> list[RelatedSubscription]:
    """Subscriptions to products of this type, oldest first; what the choice of a form is made of.

    Args:
        product_type: of their products.
        statuses: one of which they have.
        insync: whether they are in sync; None takes both.
        customer_id: whose they are; None takes all.
        most: how many at most.
    """
    wanted = [SubscriptionLifecycle(status).value for status in statuses]
    return subscription_finding.find_subscriptions(db.session, product_type, wanted, insync, customer_id, most)


def find_products(product_type: str) -> list[FoundProduct]:
    """The products of this type that are active, by name."""
    return subscription_finding.find_products(db.session, product_type)


def lock_subscriptions(subscription_ids: Iterable[UUID | str]) -> None:
    """Lock subscriptions until the step is recorded, so that what is checked afterwards still holds then.

    Who else locks, takes, saves or refers to one of them waits. What the step reads after this call is up to date. Lock
    all that is needed in one call: the order of their ids keeps two steps from waiting for each other.

    Raises:
        SubscriptionNotFoundError: one of them does not exist.
    """
    wanted = {as_uuid(identifier, "subscription") for identifier in subscription_ids}
    missing = wanted - subscription_finding.lock_subscriptions(db.session, sorted(wanted))
    for identifier in sorted(missing):
        raise SubscriptionNotFoundError(f"There is no subscription {identifier}")
