"""Which model belongs to which product. Bootstrap fills it; nothing registers itself on import."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.domain.shape import DomainModel, check_blocks_suit
from orchestrator.errors import AuthoringError, ProductNotRegisteredError


class ProductModels:
    """Models of subscriptions by the name of their product."""

    def __init__(self) -> None:
        self._products: Mapping[str, type[DomainModel]] = {}

    def use(self, products: Mapping[str, type[DomainModel]]) -> None:
        """Take these models instead of what was there; later additions to the mapping count.

        Raises:
            AuthoringError: a value is no subscription model, or its blocks do not suit its lifecycle.
        """
        for name, model in products.items():
            if not (isinstance(model, type) and issubclass(model, DomainModel)) or model.__is_block__:
                raise AuthoringError(f"The model of product {name!r} is no SubscriptionModel: {model!r}")
            check_blocks_suit(model)
        self._products = products

    def find(self, product_name: str) -> type[DomainModel] | None:
        """The model of a product, any of its variants; None when none is registered."""
        return self._products.get(product_name)

    def get(self, product_name: str) -> type[DomainModel]:
        """The model of a product, any of its variants.

        Raises:
            ProductNotRegisteredError: none is registered.
        """
        model = self.find(product_name)
        if model is None:
            known = ", ".join(sorted(self._products)) or "none"
            raise ProductNotRegisteredError(
                f"No model is registered for product {product_name!r} (registered: {known}); "
                "register it with catalog.add_product"
            )
        return model


product_models = ProductModels()


def use_products(products: Mapping[str, type[DomainModel]]) -> None:
    """Let models of subscriptions be found by the name of their product, as in `catalog.products`.

    Raises:
        AuthoringError: a value is no subscription model, or its blocks do not suit its lifecycle.
    """
    product_models.use(products)
