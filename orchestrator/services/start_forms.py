"""The first page that every workflow on a product has: which product to create, or which subscription to work on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import Session

from orchestrator.domain.reading import find_usage
from orchestrator.domain.usage import WorkflowFacts, why_blocked
from orchestrator.errors import ProductNotFoundError
from orchestrator.language.calling import read_result
from orchestrator.language.forms import FormPage
from orchestrator.language.vocabulary import State, Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.services.forms import Form, FormPages, fill_in
from orchestrator.storage.start_statements import StartSubject, WorkflowRow, find_products, find_start_subject
from orchestrator.storage.tables import ProductTable

_CHOICES = ("product", "subscription_id")
_MOST_NAMED: Final = 20

Begin = Callable[[], FormPages]


def start_form(session: Session, workflow: Workflow, row: WorkflowRow) -> Form | None:
    """The form that starts a workflow: its own pages, behind the page for the product or the subscription.

    The target of the row decides which page that is. A SYSTEM workflow that is linked to no product has none.
    """
    own = workflow.initial_input_form
    if row.target == Target.CREATE:
        return _preceded_by(lambda: _product_page(session, row), own, f"the form of {row.name}")
    if works_on_subscription(row):
        return _preceded_by(lambda: _subscription_page(session, row), own, f"the form of {row.name}")
    form: Form | None = own
    return form


def works_on_subscription(row: WorkflowRow) -> bool:
    """Whether the workflow is started on a subscription."""
    return row.target != Target.CREATE and (row.has_products or row.target != Target.SYSTEM)


def _preceded_by(begin: Begin, own: Form | None, label: str) -> Form:
    def form(state: State) -> FormPages:
        chosen = yield from begin()
        state.update(chosen)
        if own is None:
            return chosen
        entered = read_result((yield from fill_in(own, state, label)), label).delta
        # The author's form may say more than the first page did, but not choose something else.
        choice = {key: value for key, value in chosen.items() if key in _CHOICES}
        return {**chosen, **entered, **choice}

    return form


def _product_page(session: Session, row: WorkflowRow) -> FormPages:
    products = find_products(session, row.workflow_id)

    def an_id(value: Any) -> UUID:
        try:
            return value if isinstance(value, UUID) else UUID(value)
        except (ValueError, TypeError, AttributeError):
            raise ValueError(f"{str(value)[:100]!r} is no id of a product; {_creates(row, products)}") from None

    def known(product_id: UUID) -> UUID:
        if product_id in products:
            return product_id
        if session.get(ProductTable, product_id) is None:
            raise ProductNotFoundError(f"there is no product {product_id}")
        raise ValueError(f"{row.name} creates no subscriptions to the product {product_id}; {_creates(row, products)}")

    shown = {str(product_id): name for product_id, name in products.items()}
    hints = {
        "type": "string",
        "format": "productId",
        "options": shown,
        "extraProperties": {"productIds": list(shown)},
    }

    class ProductPage(FormPage):
        model_config = ConfigDict(title=row.name)
        product: Annotated[UUID, BeforeValidator(an_id), AfterValidator(known), WithJsonSchema(hints)] = Field(
            title="Product"
        )

    answer: Any = yield ProductPage
    return {"product": str(answer.product), "product_name": products[answer.product]}


def _creates(row: WorkflowRow, products: dict[UUID, str]) -> str:
    """Of which products this workflow creates subscriptions, with their ids."""
    if not products:
        return f"no product that lives has the workflow {row.name}"
    named = [f"{name} ({product_id})" for product_id, name in products.items()]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{row.name} creates {', '.join(named[:_MOST_NAMED])}{more}"


def _subscription_page(session: Session, row: WorkflowRow) -> FormPages:
    found: dict[UUID, StartSubject] = {}

    def usable(subscription_id: UUID) -> UUID:
        found[subscription_id] = _usable_subject(session, row, subscription_id)
        return subscription_id

    def present(version: int | None, info: Any) -> int | None:
        subject = found.get(info.data.get("subscription_id"))
        if subject is not None and version is not None and version != subject.version:
            raise ValueError(
                f"Stale data: given version ({version}) does not match the current version ({subject.version})"
            )
        return version

    class SubscriptionPage(FormPage):
        model_config = ConfigDict(title=row.name)
        subscription_id: Annotated[UUID, AfterValidator(usable)] = Field(title="Subscription")
        version: Annotated[int | None, AfterValidator(present)] = Field(None, title="Version")

    answer: Any = yield SubscriptionPage
    subject = found[answer.subscription_id]
    return {
        "subscription_id": str(answer.subscription_id),
        "product": str(subject.product_id),
        "customer_id": subject.customer_id,
        "version": subject.version,
    }


def _usable_subject(session: Session, row: WorkflowRow, subscription_id: UUID) -> StartSubject:
    subject = find_start_subject(session, subscription_id, row.workflow_id)
    usage = find_usage(subscription_id)
    if subject is None or usage is None:
        raise ValueError(f"There is no subscription {subscription_id}")
    if not subject.is_linked:
        raise ValueError(f"{row.name} is no workflow of the product of this subscription ({subject.product_name})")
    blocked = why_blocked(WorkflowFacts(row.name, Target(row.target), row.is_task), usage[1])
    if blocked is not None:
        # A ValueError says a sentence; this has what the reason is about, too, as `ctx`.
        about = {"message": blocked.message, "reason": blocked.reason, **blocked.details()}
        raise PydanticCustomError("value_error", "{message} ({reason})", about)
    return subject
