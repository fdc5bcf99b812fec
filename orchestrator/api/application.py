"""The Flask application: `/api` and its documents. Builds everything it is made of; nothing happens on import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from flask_smorest import Api
from typing_extensions import override

from orchestrator.api import (
    audit,
    callbacks,
    documents,
    engine,
    health,
    process_control,
    processes,
    products,
    schedules,
    subscriptions,
    workflows,
)
from orchestrator.api.endpoints import ProblemResponses
from orchestrator.api.etags import register_etags
from orchestrator.api.guard import register_guard
from orchestrator.api.parsing import PublicId
from orchestrator.api.problems import register_error_handlers
from orchestrator.api.requests import register_context
from orchestrator.api.schemas import ProblemSchema
from orchestrator.services.context import Context

TITLE = "Subscription orchestrator"
API_VERSION = "1"
DESCRIPTION = (
    "Workflows move subscriptions through their lifecycle; every step is durable. Times are ISO 8601 with offset, "
    "errors are `application/problem+json`, lists are paged, and answers to GET carry an ETag."
)

BLUEPRINTS = (
    processes.blueprint,
    process_control.blueprint,
    callbacks.blueprint,
    subscriptions.blueprint,
    products.blueprint,
    products.blocks_blueprint,
    products.resource_types_blueprint,
    workflows.blueprint,
    schedules.blueprint,
    audit.blueprint,
    engine.blueprint,
    health.blueprint,
)


class Application(Flask):
    """Flask without coroutines: no view and no hook here is one, so that they are not looked for in each request."""

    @override
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


def build_application(context: Context) -> Flask:
    """A WSGI application that serves the API for this context."""
    application = Application("orchestrator.api", static_folder=None)
    register_etags(application)
    register_context(application, context)
    register_guard(application, context.settings)
    documents.register_documents(application, _register_endpoints(application))
    # Last, so that they take the place of flask-smorest's own handler.
    register_error_handlers(application)
    return application


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of the API, as it is served and committed; needs neither settings nor servers."""
    document: dict[str, Any] = _register_endpoints(Flask("orchestrator.api", static_folder=None)).to_dict()
    return document


def _register_endpoints(application: Flask) -> APISpec:
    application.config.update(
        API_TITLE=TITLE,
        API_VERSION=API_VERSION,
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={"info": {"description": DESCRIPTION}},
        PROPAGATE_EXCEPTIONS=False,
    )
    application.json.sort_keys = False  # type: ignore[attr-defined]
    application.url_map.converters["id"] = PublicId
    api: Any = Api(spec_kwargs={"marshmallow_plugin": MarshmallowPlugin(), "extra_plugins": [ProblemResponses()]})
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    api.init_app(application)
    api.register_converter(PublicId, lambda _: {"type": "string", "format": "uuid"})
    api.spec.components.schema("Problem", schema=ProblemSchema)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    spec: APISpec = api.spec
    return spec
