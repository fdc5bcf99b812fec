"""Loads the models that parameters of steps and forms ask for."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin
from uuid import UUID

from orchestrator.domain.subscriptions import SubscriptionModel, read_tree
from orchestrator.errors import AuthoringError, LifecycleError, ValuesDoNotFitError, WrongProductError
from orchestrator.language.vocabulary import SubscriptionLifecycle


class SubscriptionLoader:
    """Loads a subscription as the class, or as one of the union of classes, that an annotation names."""

    def load(self, annotation: Any, identifier: UUID) -> SubscriptionModel:
        """The model of the subscription; in a union, the class that was made for its status is tried first.

        Raises:
            AuthoringError: the annotation names no subscription model.
            SubscriptionNotFoundError: there is no such subscription.
            WrongProductError: it is of another product's model, or of none of the classes of a union.
            LifecycleError: the class is too loose for the status.
            ValuesDoNotFitError: the stored values do not fit.
        """
        kinds = _kinds(annotation)
        if len(kinds) == 1:
            return kinds[0].from_subscription(identifier)
        tree = read_tree(identifier)
        status = SubscriptionLifecycle(tree.subscription.status)
        reasons = []
        for kind in sorted(kinds, key=lambda kind: kind.variant(status) is not kind):
            try:
                return kind.from_tree(tree)
            except (WrongProductError, LifecycleError, ValuesDoNotFitError) as error:
                reasons.append(str(error))
        names = ", ".join(kind.__qualname__ for kind in kinds)
        raise WrongProductError(f"Subscription {identifier} is none of {names}: {'; '.join(reasons)}")


def _kinds(annotation: Any) -> list[type[SubscriptionModel]]:
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, SubscriptionModel):
        return [annotation]
    members = [member for member in get_args(annotation) if member is not type(None)]
    if not members:
        raise AuthoringError(f"{annotation} is no SubscriptionModel")
    return [kind for member in members for kind in _kinds(member)]
