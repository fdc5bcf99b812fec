"""The history that the benchmark and the tests of growth fill in: it reads like one that was really run."""

from __future__ import annotations

import psycopg
import pytest

from bench.history import PROCESSES_OF_A_SUBSCRIPTION, fill
from orchestrator.services.context import Context
from orchestrator.services.list_queries import Condition, ListQuery, NumberedPage
from orchestrator.services.process_views import list_processes, process_detail
from orchestrator.storage.database import libpq_url
from tests.integration.schema_description import describe_schema


def test_a_history_can_be_listed_and_looked_at(context: Context, database_url: str) -> None:
    before = describe_schema(database_url)
    fill(libpq_url(database_url), 1_000, 3)
    fill(libpq_url(database_url), 200, 3)

    assert describe_schema(database_url) == before, "indexes that were taken away are back"
    page = list_processes(context, ListQuery(part=NumberedPage(page_size=100)))
    assert page.total == 1_200
    assert {one.last_status for one in page.items} == {"completed", "failed", "aborted"}
    failed = list_processes(context, ListQuery(conditions=(Condition("status", "failed"),)))
    assert failed.total == 12
    for one in (page.items[0], failed.items[0]):
        assert len(one.subscriptions) == 1
        detail = process_detail(context, one.process_id)
        assert [step.key for step in detail.steps] == ["step_0", "step_1", "step_2"]
        assert detail.steps[-1].status == {"completed": "complete"}.get(one.last_status, one.last_status)
        assert detail.process.started_at <= detail.process.last_modified_at
    with psycopg.connect(libpq_url(database_url)) as connection:
        assert connection.execute("SELECT count(*) FROM subscriptions").fetchone() == (
            1_200 // PROCESSES_OF_A_SUBSCRIPTION,
        )
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (1_200,)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("DELETE FROM workflows")
