"""What a user's package registers: products with their models, and workflows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.errors import AuthoringError, UnknownWorkflowError
from orchestrator.language.parameters import plan_of
from orchestrator.language.workflows import Workflow


class Catalog:
    """The products and workflows that this installation has code for."""

    def __init__(self) -> None:
        self._products: dict[str, type] = {}
        self._workflows: dict[str, Workflow] = {}

    @property
    def products(self) -> Mapping[str, type]:
        """The models by the name of their product; a view that cannot be changed."""
        return MappingProxyType(self._products)

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The workflows by their name; a view that cannot be changed."""
        return MappingProxyType(self._workflows)

    def add_product(self, name: str, model: type) -> None:
        """Register the subscription model of a product.

        Raises:
            AuthoringError: there is one of that name, or it is no model class.
        """
        if not isinstance(name, str) or not name.strip():
            raise AuthoringError(f"add_product: the name of a product is text, not {name!r}")
        if not isinstance(model, type):
            raise AuthoringError(f"add_product: the model of {name!r} must be a class, not {type(model).__name__}")
        if name in self._products:
            raise AuthoringError(f"add_product: there are two products with the name {name!r}")
        self._products[name] = model

    def add_workflow(self, workflow: Workflow) -> None:
        """Register a workflow.

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

    def workflow(self, name: str) -> Workflow:
        """The workflow of this name.

        Raises:
            UnknownWorkflowError: there is none.
        """
        try:
            return self._workflows[name]
        except KeyError:
            raise UnknownWorkflowError(f"there is no workflow with the name {name!r}") from None
