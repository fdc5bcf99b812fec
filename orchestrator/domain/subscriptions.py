"""`SubscriptionModel`: a customer's subscription, and `change_lifecycle`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, TypeVar, cast
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr
from uuid_utils.compat import uuid7

from orchestrator.domain.assembly import BlockAssembly, values_must_fit
from orchestrator.domain.blocks import ProductBlockModel, as_uuid, default_blocks
from orchestrator.domain.conversion import Conversion
from orchestrator.domain.plainness import is_plain
from orchestrator.domain.products import ProductModel, read_fixed_inputs
from orchestrator.domain.registry import product_models
from orchestrator.domain.requirements import check_fixed_inputs, check_product, check_suits, check_users_allow
from orchestrator.domain.shape import DomainModel
from orchestrator.domain.snapshot import Snapshot, take_snapshot
from orchestrator.domain.stored import StoredTree
from orchestrator.domain.writing import write_changes
from orchestrator.errors import (
    AuthoringError,
    ProductNotFoundError,
    SubscriptionNotFoundError,
    WrongProductError,
)
from orchestrator.language.json_values import to_json
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.block_trees import TreeRows, root_links
from orchestrator.storage.session import db
from orchestrator.storage.subscription_finding import lock_subscriptions
from orchestrator.storage.subscription_statements import (
    ProductRow,
    SubscriptionTree,
    find_product,
    load_subscription,
)


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _with_offset(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


CustomerId = Annotated[str, BeforeValidator(_text)]
Time = Annotated[datetime, AfterValidator(_with_offset)]

_COLUMNS = ("customer_id", "description", "status", "insync", "start_date", "end_date", "note")


class SubscriptionModel(DomainModel):
    """A customer's subscription to a product: scalar values, the product's fixed inputs, and root blocks.

    `class NodeInactive(SubscriptionModel, is_base=True)` is the base of a model; variants name the statuses that they
    are for: `class Node(NodeInactive, lifecycle=[SubscriptionLifecycle.ACTIVE])`. Fields that hold blocks are root
    blocks, all others are fixed inputs. Nothing is written before `save`; a step saves the models that it returns.
    """

    __own_fields__: ClassVar[frozenset[str]] = frozenset(
        {"product", "subscription_id", "version", *_COLUMNS},
    )

    product: ProductModel
    customer_id: CustomerId
    subscription_id: UUID = Field(default_factory=uuid7)
    description: str = "Initial subscription"
    status: SubscriptionLifecycle = SubscriptionLifecycle.INITIAL
    insync: bool = False
    start_date: Time | None = None
    end_date: Time | None = None
    note: str | None = None
    version: int = 1

    # Whether the last one that was loaded referred to blocks of other subscriptions.
    __refers_to_others__: ClassVar[bool] = False

    _loaded: Snapshot | StoredTree | None = PrivateAttr(default=None)
    _product_row: ProductRow | None = PrivateAttr(default=None)
    _asks_users: bool = PrivateAttr(default=False)

    def __init_subclass__(
        cls, *, is_base: bool = False, lifecycle: Sequence[SubscriptionLifecycle] | None = None, **config: Any
    ) -> None:
        """Take a place among the variants of this model."""
        super().__init_subclass__(**config)
        cls._join_variants(is_base, lifecycle)

    @classmethod
    def from_product_id(
        cls,
        product_id: UUID | str,
        customer_id: str | UUID,
        status: SubscriptionLifecycle | str = SubscriptionLifecycle.INITIAL,
        description: str | None = None,
        insync: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        note: str | None = None,
        version: int = 1,
    ) -> Self:
        """A new subscription with the blocks that it must have. It is not written before `save`.

        Raises:
            ProductNotFoundError: there is no such product.
            WrongProductError: the product has another model.
            LifecycleError: this variant is too loose for the status.
            ValuesDoNotFitError: a value that this variant must have has no default.
        """
        row = find_product(db.session, as_uuid(product_id, "product"))
        if row is None:
            raise ProductNotFoundError(f"There is no product {product_id}")
        check_product(cls, row.name)
        lifecycle = SubscriptionLifecycle(status)
        check_suits(cls, lifecycle, f"A new subscription to {row.name!r}")
        subscription_id = uuid7()
        fixed_inputs = read_fixed_inputs(cls, row)
        with values_must_fit(cls):
            model = cls(
                product=ProductModel.from_row(row),
                customer_id=str(customer_id),
                subscription_id=subscription_id,
                description=description or f"Initial subscription of {row.description or row.name}",
                status=lifecycle,
                insync=insync,
                start_date=start_date,
                end_date=end_date,
                note=note,
                version=version,
                **fixed_inputs,
                **default_blocks(cls, subscription_id, {}),
            )
        model._product_row = row
        return model

    @classmethod
    def from_subscription(cls, subscription_id: UUID | str) -> Self:
        """Load a subscription with all its blocks, as one statement sees them.

        On `SubscriptionModel` itself the class is that of the product, in the variant for the status. A variant loads
        subscriptions in a status that asks for less, too, if their values fit it.

        Raises:
            SubscriptionNotFoundError: there is none of this id.
            ProductNotRegisteredError: no model is registered for its product.
            WrongProductError: it belongs to a product with another model.
            LifecycleError: this variant is too loose for the status.
            ValuesDoNotFitError: the stored values do not fit the model.
        """
        return cls.from_tree(read_tree(subscription_id, refers_to_others=cls.__refers_to_others__))

    @classmethod
    def from_tree(cls, tree: SubscriptionTree) -> Self:
        """As `from_subscription`, from rows that were read already."""
        identifier = tree.subscription.subscription_id
        status = SubscriptionLifecycle(tree.subscription.status)
        if cls.__variants__ is None:
            model = product_models.get(tree.product.name).variant(status)
            if not issubclass(model, cls):
                raise WrongProductError(f"Subscription {identifier} is a {model.__qualname__}, no {cls.__qualname__}")
            return model._build(tree, tree.rows())
        check_product(cls, tree.product.name)
        check_suits(cls, status, f"Subscription {identifier}")
        return cls._build(tree, tree.rows())

    @classmethod
    def from_other_lifecycle(
        cls, other: SubscriptionModel, status: SubscriptionLifecycle | str, skip_validation: bool = False
    ) -> Self:
        """The same subscription in another status, as the variant of the model for it; `other` is used up.

        `start_date` is set when it becomes active, `end_date` when it is terminated, unless they are known.

        Args:
            other: the subscription as it is.
            status: the status that it takes.
            skip_validation: do not ask whether subscriptions that use this one allow it.

        Raises:
            UnsafeTransitionError: subscriptions that use this one are in a status that needs more.
            ValuesDoNotFitError: a value is missing that the variant must have.
            WrongProductError: `other` is of another model.
        """
        target = SubscriptionLifecycle(status)
        if cls.__variants__ is not None and cls.__variants__ is not type(other).__variants__:
            raise WrongProductError(f"{type(other).__qualname__} is no variant of {cls.__qualname__}")
        model = type(other).variant(target)
        is_change = target != other.status
        is_checked = is_change and not skip_validation and other._loaded is not None
        if is_checked:
            check_users_allow(other.subscription_id, target)
        own: dict[str, Any] = {"status": target}
        if is_change and target is SubscriptionLifecycle.ACTIVE:
            own["start_date"] = other.start_date or datetime.now(UTC)
        if is_change and target is SubscriptionLifecycle.TERMINATED:
            own["end_date"] = other.end_date or datetime.now(UTC)
        fields = {} if other._product_row is None else read_fixed_inputs(model, other._product_row)
        fields |= Conversion(other.subscription_id, target).fields(other, model)
        converted = other._become(model, own, fields, other._product_row)
        converted._asks_users = is_checked
        return cast("Self", converted)

    @classmethod
    def from_other_product(
        cls,
        other: SubscriptionModel,
        product_id: UUID | str,
        new_root: tuple[str, ProductBlockModel] | None = None,
    ) -> Self:
        """The same subscription to another product; `other` is used up.

        It keeps its id, its status, and the blocks that both models have under the same name, so that who uses them
        goes on to do so. Fixed inputs are those of the new product. Blocks that the new model lacks are removed by
        `save`.

        Args:
            other: the subscription as it is.
            product_id: the product that it becomes one of.
            new_root: an attribute of the new model, and the block for it in place of the one that is there.

        Raises:
            ProductNotFoundError: there is no such product.
            ProductNotRegisteredError: called on `SubscriptionModel` itself, and the product has no model.
            WrongProductError: the product has another model than this one.
            ValuesDoNotFitError: the new model lacks a value or a block, or takes none of that kind.
        """
        row = find_product(db.session, as_uuid(product_id, "product"))
        if row is None:
            raise ProductNotFoundError(f"There is no product {product_id}")
        if cls.__variants__ is not None:
            check_product(cls, row.name)
        declared = product_models.get(row.name) if cls.__variants__ is None else cls
        model = declared.variant(other.status)
        kept = Conversion(other.subscription_id, other.status).blocks(other, model)
        fields = {**read_fixed_inputs(model, row), **kept, **dict([new_root] if new_root else [])}
        return cast("Self", other._become(model, {"product": ProductModel.from_row(row)}, fields, row))

    def _become(
        self, model: type[DomainModel], own: Mapping[str, Any], fields: Mapping[str, Any], row: ProductRow | None
    ) -> SubscriptionModel:
        kept = {name: getattr(self, name) for name in SubscriptionModel.__own_fields__}
        with values_must_fit(model):
            converted = cast("SubscriptionModel", model(**{**kept, **own}, **fields))
        converted._loaded = self._loaded
        converted._product_row = row
        converted._asks_users = self._asks_users
        return converted

    def save(self) -> None:
        """Write what changed since the subscription was loaded; nothing when nothing did. Does not commit.

        Raises:
            StaleSubscriptionError: somebody else saved it after it was loaded.
            UnsafeTransitionError: a subscription that has come to use this one does not allow the new status.
            InvalidInputError: a fixed input was changed.
            LifecycleError: the class is too loose for the status; `change_lifecycle` gives the right one.
            BlockCycleError: a block refers to itself through others.
            BlockOwnershipError: a root block belongs to another subscription.
            BlockInUseError: a removed block is used by another subscription.
            ValuesDoNotFitError: a list has too few or too many blocks.
            UnstorableValueError: JSON cannot hold a value.
        """
        check_suits(type(self), self.status, f"Subscription {self.subscription_id}")
        if self._product_row is not None:
            check_fixed_inputs(self, self._product_row)
        snapshot = self._snapshot()
        if self._asks_users:
            # Once more, now that nobody can begin to use it before this is committed.
            lock_subscriptions(db.session, [self.subscription_id])
            check_users_allow(self.subscription_id, self.status)
            self._asks_users = False
        stored = self._loaded.snapshot(snapshot) if isinstance(self._loaded, StoredTree) else self._loaded
        self.version = write_changes(self.subscription_id, self.version, stored, snapshot)
        self._loaded = snapshot

    @classmethod
    def _build(cls, tree: SubscriptionTree, rows: TreeRows) -> Self:
        row = tree.subscription
        cls.__refers_to_others__ = rows.has_others
        assembly = BlockAssembly(rows, row.subscription_id)
        blocks = assembly.root_fields(cls, root_links(rows, row.subscription_id))
        fixed_inputs = read_fixed_inputs(cls, tree.product)
        with values_must_fit(cls):
            model = cls(
                product=ProductModel.from_row(tree.product),
                customer_id=row.customer_id,
                subscription_id=row.subscription_id,
                description=row.description,
                status=SubscriptionLifecycle(row.status),
                insync=row.insync,
                start_date=row.start_date,
                end_date=row.end_date,
                note=row.note,
                version=row.version,
                **fixed_inputs,
                **blocks,
            )
        models: set[type[DomainModel]] = {cls, *assembly.kinds}
        if all(is_plain(one) for one in models):
            model._loaded = StoredTree(cls, tree, model._columns())
        else:
            # Made once: what code of the authors makes of the rows may not be the same a second time.
            model._loaded = model._snapshot().limited_to(rows.blocks)
        model._product_row = tree.product
        return model

    def _columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {name: getattr(self, name) for name in _COLUMNS}
        for name in ("customer_id", "description", "note"):
            to_json(columns[name], name)
        columns["status"] = self.status.value
        columns["product_id"] = self.product.product_id
        return columns

    def _snapshot(self) -> Snapshot:
        return take_snapshot(self.subscription_id, self, self._columns())


def read_tree(subscription_id: UUID | str, *, refers_to_others: bool = False) -> SubscriptionTree:
    """The rows of a subscription, which probably refers to blocks of others or does not.

    Raises:
        SubscriptionNotFoundError: there is none of this id.
    """
    identifier = as_uuid(subscription_id, "subscription")
    tree = load_subscription(db.session, identifier, refers_to_others=refers_to_others)
    if tree is None:
        raise SubscriptionNotFoundError(f"There is no subscription {identifier}")
    return tree


_Subscription = TypeVar("_Subscription", bound=SubscriptionModel)


def change_lifecycle(subscription: _Subscription, status: SubscriptionLifecycle | str) -> _Subscription:
    """The subscription in this status, as the variant of its model for it; itself when it is that already.

    Raises:
        AuthoringError: `subscription` is no model.
        UnsafeTransitionError: subscriptions that use this one are in a status that needs more.
        ValuesDoNotFitError: a value is missing that the variant must have.
    """
    if not isinstance(subscription, SubscriptionModel):
        raise AuthoringError(f"change_lifecycle takes a subscription model, not a {type(subscription).__name__}")
    target = SubscriptionLifecycle(status)
    if subscription.status == target and type(subscription) is type(subscription).variant(target):
        return subscription
    return cast("_Subscription", SubscriptionModel.from_other_lifecycle(subscription, target))
