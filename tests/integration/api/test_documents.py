"""The documents of the API: what is committed is what is served, and every code of an error is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner
from flask.testing import FlaskClient

from orchestrator.api.compatibility import main
from orchestrator.api.problems import PROBLEMS, all_problems
from orchestrator.errors import OrchestratorError

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "docs" / "openapi.json"


def test_the_committed_document_is_the_one_that_is_served(client: FlaskClient) -> None:
    assert client.get("/api/openapi.json").text == COMMITTED.read_text()


def test_a_breaking_difference_fails_the_check(tmp_path: Path) -> None:
    document = json.loads(COMMITTED.read_text())
    document["paths"]["/api/health/old"] = document["paths"]["/api/health/live"]
    committed = tmp_path / "openapi.json"
    committed.write_text(json.dumps(document))
    for arguments in ([str(committed)], [str(committed), "--write"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 1
        assert "breaks clients: /api/health/old is gone" in result.stderr
    assert "/api/health/old" in committed.read_text()


def test_a_document_that_has_grown_has_to_be_written(tmp_path: Path) -> None:
    document = json.loads(COMMITTED.read_text())
    del document["paths"]["/api/health/live"]
    committed = tmp_path / "openapi.json"
    committed.write_text(json.dumps(document))
    assert "--write" in CliRunner().invoke(main, [str(committed)]).stderr
    assert CliRunner().invoke(main, [str(committed), "--write"]).exit_code == 0
    assert committed.read_text() == COMMITTED.read_text()
    assert CliRunner().invoke(main, [str(committed)]).exit_code == 0


def test_the_reference_names_every_operation_and_needs_no_network(client: FlaskClient) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    for path, item in client.get("/api/openapi.json").json["paths"].items():
        assert path in page.text
        assert all(operation["operationId"] in page.text for name, operation in item.items() if name != "parameters")
    for text in (page.text, client.get("/api/docs/problems").text):
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text)
        assert "<script" not in text
        assert "`" not in text
    assert "numbers and times take <code>&lt;</code>" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_first_page_leads_to_the_reference(client: FlaskClient) -> None:
    for path in ("/", "/api/"):
        response = client.get(path)
        assert (response.status_code, response.headers["Location"]) == (302, "/api/docs")


def test_every_code_of_an_error_is_explained(client: FlaskClient) -> None:
    page = client.get("/api/docs/problems").text
    document = (ROOT / "docs" / "api.md").read_text()
    codes = [problem.code for problem in all_problems()]
    assert len(codes) == len(set(codes))
    for problem in all_problems():
        assert problem.meaning
        assert f'id="{problem.code}"' in page
        assert f"| `{problem.type}` | {problem.status} |" in document
    assert document.count("| `/api/docs/problems#") + document.count("| `Form") == len(codes)


def test_every_error_has_a_problem() -> None:
    assert PROBLEMS[OrchestratorError].status == 500
    assert all(400 <= problem.status < 600 for problem in all_problems())
