"""What must hold of a subscription's model: the product that it is of, its status, its users, its fixed inputs."""

from __future__ import annotations

from uuid import UUID

from orchestrator.domain.lifecycle import check_users
from orchestrator.domain.products import read_fixed_inputs
from orchestrator.domain.registry import product_models
from orchestrator.domain.shape import DomainModel
from orchestrator.errors import InvalidInputError, LifecycleError, WrongProductError
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.session import db
from orchestrator.storage.subscription_relations import subscriptions_using
from orchestrator.storage.subscription_statements import ProductRow


def check_product(model: type[DomainModel], product_name: str) -> None:
    """Does the product have this model, or none that is registered?

    Raises:
        WrongProductError: it has another one.
    """
    registered = product_models.find(product_name)
    if registered is not None and registered.__variants__ is not model.__variants__:
        raise WrongProductError(
            f"The model of product {product_name!r} is {registered.__qualname__}, not {model.__qualname__}"
        )


def check_suits(model: type[DomainModel], status: SubscriptionLifecycle, what: str) -> None:
    """Is the class as strict as the status of `what` asks?

    Raises:
        LifecycleError: it is too loose.
    """
    if not model.suits(status):
        raise LifecycleError(
            f"{what} is {status.value}, for which {model.__qualname__} is too loose: "
            f"it must be a {model.variant(status).__qualname__}"
        )


def check_users_allow(subscription_id: UUID, status: SubscriptionLifecycle) -> None:
    """Do the subscriptions that use this one allow that it takes this status?

    Raises:
        UnsafeTransitionError: one of them is in a status that needs more.
    """
    users = subscriptions_using(db.session, subscription_id)
    check_users(status, ((user.description, SubscriptionLifecycle(user.status)) for user in users))


def check_fixed_inputs(subscription: DomainModel, product: ProductRow) -> None:
    """Are the fixed inputs those of the product?

    Raises:
        InvalidInputError: one was changed.
    """
    for name, value in read_fixed_inputs(type(subscription), product).items():
        if getattr(subscription, name) != value:
            raise InvalidInputError(
                f"{name} is a fixed input of product {product.name!r}: it is {value}, and a subscription "
                f"cannot change it"
            )
