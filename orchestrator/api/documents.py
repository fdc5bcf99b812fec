"""The API's documents: `/api/openapi.json`, a reference page that needs no network, and the codes of all problems."""

from __future__ import annotations

import re
from typing import Any

import orjson
from apispec import APISpec
from flask import Flask, Response, redirect, render_template, url_for
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.api.problems import all_problems


def register_documents(application: Flask, spec: APISpec) -> None:
    """Serve the document of a finished specification and the pages made from it."""
    document = spec.to_dict()
    text = openapi_text(document)

    def openapi() -> Response:
        return Response(text, content_type="application/json")

    def reference() -> str:
        return render_template("reference.html", document=document, operations=_operations(document))

    def problems() -> str:
        return render_template("problems.html", problems=all_problems())

    def home() -> AnyResponse:
        return redirect(url_for("reference"))

    application.add_template_filter(_with_code, "with_code")
    application.add_url_rule("/", "home", home)
    application.add_url_rule("/api/", "api_home", home)
    application.add_url_rule("/api/openapi.json", "openapi", openapi)
    application.add_url_rule("/api/docs", "reference", reference)
    application.add_url_rule("/api/docs/problems", "problems", problems)


def openapi_text(document: dict[str, Any]) -> str:
    """The document as it is served and committed: the same text for the same API."""
    return orjson.dumps(document, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _with_code(text: str) -> Markup:
    """HTML of a text in which code stands between backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _operations(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations by tag, each with its `method` and `path`."""
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document.get("tags", [])}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            parameters = [*operations.get("parameters", []), *operation.get("parameters", [])]
            found[operation["tags"][0]].append({**operation, "method": method, "path": path, "parameters": parameters})
    return found
