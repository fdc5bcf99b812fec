"""Requests made up from the OpenAPI document: the server never fails, and answers only what the document says."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orchestrator.api.application import openapi_document
from tests.integration.api.rows import Rows

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("ORCHESTRATOR_TEST_EXAMPLES", "10"))
OPERATIONS = [
    (method.upper(), path)
    for path, item in openapi_document()["paths"].items()
    for method in item
    if method != "parameters"
]


@pytest.fixture
def known(rows: Rows) -> dict[str, UUID]:
    """Ids of things that are there, by the names that paths have for them."""
    product = rows.product()
    block = rows.block(product, "Port", "speed")
    subscription, *_ = rows.subscriptions(product, 3)
    workflow = rows.workflow(product, "look_after_port")
    return {
        "product_id": product,
        "product_block_id": block,
        "subscription_id": subscription,
        "workflow_id": workflow,
        "process_id": rows.process(workflow, subscription, "failed"),
        "schedule_id": rows.schedule("look_after_port", subscription),
    }


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_breaks_the_server_or_its_document(
    application: Flask, known: dict[str, UUID], method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_wsgi("/api/openapi.json", application)[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        case.validate_response(case.call(), checks=CHECKS)
        for name, identifier in known.items():
            # The same once more about something that is there.
            if name in case.path_parameters:
                case.path_parameters[name] = str(identifier)
                case.validate_response(case.call(), checks=CHECKS)

    try:
        send()
    except Unsatisfiable:
        # An operation that takes nothing cannot be sent anything wrong.
        if mode is GenerationMode.POSITIVE:
            raise
