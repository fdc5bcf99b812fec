"""What breaks a client and what does not, in OpenAPI documents."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.api.openapi_differences import breaking_differences

Document = dict[str, Any]

BASE: Document = {
    "paths": {
        "/things/{id}": {
            "parameters": [{"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}],
            "get": {
                "parameters": [{"in": "query", "name": "page", "schema": {"type": "integer", "maximum": 10}}],
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                        "headers": {"X-Pagination": {}},
                    },
                    "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
            },
            "patch": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}},
                "responses": {"201": {"description": "Changed"}},
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "note": {"type": ["string", "null"]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "status": {"type": "string", "enum": ["new", "old"]},
                },
                "required": ["name"],
            },
            "Change": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 20}, "status": {"enum": ["new", "old"]}},
                "additionalProperties": False,
            },
        }
    },
}


def thing(document: Document) -> Document:
    found: Document = document["components"]["schemas"]["Thing"]
    return found


def change(document: Document) -> Document:
    found: Document = document["components"]["schemas"]["Change"]
    return found


def operation(document: Document, method: str) -> Document:
    found: Document = document["paths"]["/things/{id}"][method]
    return found


def differences(alter: Callable[[Document], Any]) -> list[str]:
    altered = copy.deepcopy(BASE)
    alter(altered)
    assert altered != BASE
    return breaking_differences(BASE, altered)


def test_the_same_document_breaks_nothing() -> None:
    assert breaking_differences(BASE, copy.deepcopy(BASE)) == []


@pytest.mark.parametrize(
    ("alter", "says"),
    [
        (lambda d: d["paths"].clear(), "/things/{id} is gone"),
        (lambda d: d["paths"]["/things/{id}"].pop("patch"), "PATCH /things/{id} is gone"),
        (lambda d: operation(d, "get")["parameters"].clear(), "parameter page (query) is gone"),
        (lambda d: operation(d, "get")["parameters"][0].update(required=True), "page (query) is required now"),
        (
            lambda d: operation(d, "get")["parameters"].append({"in": "header", "name": "Key", "required": True}),
            "parameter Key (header) is new and required",
        ),
        (lambda d: operation(d, "get")["parameters"][0]["schema"].update(maximum=5), "maximum is 5 now"),
        (lambda d: operation(d, "get")["parameters"][0]["schema"].update(minimum=1), "minimum is 1 now"),
        (lambda d: operation(d, "get")["parameters"][0]["schema"].update(type="boolean"), "was integer, is boolean"),
        (lambda d: operation(d, "get")["responses"].pop("200"), "answer 200 is gone"),
        (lambda d: operation(d, "get")["responses"]["200"].pop("headers"), "header X-Pagination is gone"),
        (lambda d: operation(d, "get")["responses"]["404"].update(content={}), "application/problem+json is gone"),
        (lambda d: thing(d)["properties"].pop("note"), "answer 200.note is gone"),
        (lambda d: thing(d)["properties"]["parts"].update(items={"type": "string"}), "parts[]: was object, is string"),
        (lambda d: thing(d)["properties"].update(name={"type": ["string", "null"]}), "is null or string"),
        (lambda d: thing(d)["properties"].update(name={}), "name: was string, is anything"),
        (lambda d: thing(d).pop("required"), "answer 200.name may be missing now"),
        (lambda d: change(d)["properties"].pop("name"), "body.name is gone"),
        (lambda d: change(d).update(required=["name"]), "body.name is required now"),
        (lambda d: change(d)["properties"]["name"].update(maxLength=10), "maxLength is 10 now"),
        (lambda d: change(d)["properties"]["name"].update(format="uuid"), "format is uuid now"),
        (lambda d: change(d)["properties"]["status"].update(enum=["new"]), "old is not taken any more"),
        (lambda d: operation(d, "patch")["requestBody"].update(required=True), "the body is required now"),
        (lambda d: operation(d, "patch").pop("requestBody"), "no body is taken any more"),
        (
            lambda d: (
                operation(d, "patch")["responses"].update({"200": {}}) or operation(d, "patch")["responses"].pop("201")
            ),
            "answer 201 is gone",
        ),
    ],
)
def test_what_breaks_a_client_is_named(alter: Callable[[Document], Any], says: str) -> None:
    found = differences(alter)
    assert any(says in difference for difference in found), found


@pytest.mark.parametrize(
    "alter",
    [
        lambda d: d["paths"].update({"/others": {}}),
        lambda d: d["paths"]["/things/{id}"].update(delete={"responses": {"204": {}}}),
        lambda d: operation(d, "get")["parameters"].append({"in": "query", "name": "sort"}),
        lambda d: operation(d, "get")["parameters"][0]["schema"].pop("maximum"),
        lambda d: operation(d, "get")["responses"].pop("404"),
        lambda d: operation(d, "get")["responses"].update({"409": {}}),
        lambda d: thing(d)["properties"].update(extra={"type": "string"}),
        lambda d: thing(d)["properties"].update(note={"type": "string"}),
        lambda d: thing(d)["properties"]["status"]["enum"].append("older"),
        lambda d: thing(d)["required"].append("note"),
        lambda d: change(d)["properties"].update(extra={"type": "string"}),
        lambda d: change(d)["properties"]["name"].update(maxLength=30),
        lambda d: change(d)["properties"]["name"].update(type=["string", "null"]),
        lambda d: change(d)["properties"]["status"]["enum"].append("older"),
    ],
)
def test_growth_breaks_nobody(alter: Callable[[Document], Any]) -> None:
    assert differences(alter) == []
