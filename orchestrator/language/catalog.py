"""What a user's package registers: products with their models, and workflows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orchestrator.errors import AuthoringError, UnknownWorkflowError
from orchestrator.language.json_values import to_json
from orchestrator.language.parameters import plan_of
from orchestrator.language.workflow_definition import Workflow


@dataclass(frozen=True)
class ProductFacts:
    """What the code says about a product besides its model; None where it leaves that to the database."""

    product_type: str | None = None
    tag: str | None = None
    description: str | None = None
    fixed_inputs: Mapping[str, str] | None = None


class Catalog:
    """The products and workflows that this installation has code for."""

    def __init__(self) -> None:
        self._products: dict[str, type] = {}
        self._workflows: dict[str, Workflow] = {}
        self._facts: dict[str, ProductFacts] = {}
        self._products_of: dict[str, frozenset[str]] = {}

    @property
    def products(self) -> Mapping[str, type]:
        """The models by the name of their product; a view that cannot be changed."""
        return MappingProxyType(self._products)

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The workflows by their name; a view that cannot be changed."""
        return MappingProxyType(self._workflows)

    @property
    def facts(self) -> Mapping[str, ProductFacts]:
        """What is said about each product, by its name; a view that cannot be changed."""
        return MappingProxyType(self._facts)

    @property
    def products_of(self) -> Mapping[str, frozenset[str]]:
        """The products that a workflow is for, by its name, for those of which that is said."""
        return MappingProxyType(self._products_of)

    def add_product(
        self,
        name: str,
        model: type,
        *,
        product_type: str | None = None,
        tag: str | None = None,
        description: str | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Register the subscription model of a product.

        What else is said here, `orchestrator catalog check` compares with the database, and new revisions bring it in.

        Args:
            name: as it stands in the database.
            model: the class of its subscriptions.
            product_type: the group that it belongs to; a new product without one gets the name of the model.
            tag: a shorter name of that group; a new product without one gets its product type.
            description: for people.
            fixed_inputs: all values that its subscriptions share, by the names of their fields in the model.

        Raises:
            AuthoringError: there is one of that name, it is no model class, or a value is none that JSON can hold.
        """
        if not isinstance(name, str) or not name.strip():
            raise AuthoringError(f"add_product: the name of a product is text, not {name!r}")
        if not isinstance(model, type):
            raise AuthoringError(f"add_product: the model of {name!r} must be a class, not {type(model).__name__}")
        if name in self._products:
            raise AuthoringError(f"add_product: there are two products with the name {name!r}")
        inputs = None if fixed_inputs is None else {key: _text(key, value) for key, value in fixed_inputs.items()}
        self._products[name] = model
        self._facts[name] = ProductFacts(product_type, tag, description, inputs)

    def add_workflow(self, workflow: Workflow, *, products: Iterable[str] | None = None) -> None:
        """Register a workflow.

        Args:
            workflow: what a decorator made.
            products: the names of all products that it is for; left to the database when not given.

        Raises:
            AuthoringError: there is one of that name, it is no workflow, or an annotation of its steps cannot be used.
        """
        if not isinstance(workflow, Workflow):
            raise AuthoringError(f"add_workflow: {workflow!r} is no workflow; is its decorator missing?")
        if workflow.name in self._workflows:
            raise AuthoringError(f"add_workflow: there are two workflows with the name {workflow.name!r}")
        # By now every module is loaded, so that what is not there yet will never be.
        for step in workflow.steps:
            if step.function is not None:
                plan_of(step.function)
        self._workflows[workflow.name] = workflow
        if products is not None:
            self._products_of[workflow.name] = _names(workflow.name, products)

    def workflow(self, name: str) -> Workflow:
        """The workflow of this name.

        Raises:
            UnknownWorkflowError: there is none.
        """
        try:
            return self._workflows[name]
        except KeyError:
            raise UnknownWorkflowError(f"there is no workflow with the name {name!r}") from None


def _text(name: str, value: Any) -> str:
    plain = to_json(value, name)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _names(workflow: str, products: Iterable[str]) -> frozenset[str]:
    if isinstance(products, str):
        raise AuthoringError(f"add_workflow: the products of {workflow!r} are a list of names, not one text")
    return frozenset(products)
