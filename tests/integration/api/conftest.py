"""The API over a real database and a real broker, and rows to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from orchestrator.api.application import build_application
from orchestrator.bootstrap.context import build_context
from orchestrator.language.catalog import Catalog
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database
from tests.integration.api.rows import Rows, look_after_port


@pytest.fixture
def settings(database_url: str, broker_url: str) -> Settings:
    return Settings(database_url=database_url, broker_url=broker_url, max_request_bytes=50_000)


@pytest.fixture
def context(settings: Settings) -> Iterator[Context]:
    catalog = Catalog()
    catalog.add_workflow(look_after_port)
    context = replace(build_context(settings, "tests"), catalog=catalog)
    yield context
    context.database.dispose()


@pytest.fixture
def application(context: Context) -> Flask:
    return build_application(context)


@pytest.fixture
def client(application: Flask) -> FlaskClient:
    return application.test_client()


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)
