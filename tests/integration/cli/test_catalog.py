"""`orchestrator catalog check` and `orchestrator db revision --autogenerate`, as commands."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.storage.database import libpq_url
from tests.integration.cli.conftest import Run

CODE = """
from orchestrator import Catalog, ProductBlockModel, StepList, SubscriptionModel, begin, create_workflow


class LineBlock(ProductBlockModel, product_block_name="Line"):
    {fields}


class Line(SubscriptionModel, is_base=True):
    line: LineBlock


@create_workflow("Create a line")
def create_line() -> StepList:
    return begin


def register(catalog: Catalog) -> None:
    catalog.add_product("Line", Line)
    catalog.add_workflow(create_line)
"""
SUBSCRIPTION = """
WITH s AS (INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status)
           SELECT gen_random_uuid(), product_id, 'c', 'd', 'active' FROM products RETURNING subscription_id)
INSERT INTO subscription_instances (subscription_instance_id, subscription_id, product_block_id, "values")
SELECT gen_random_uuid(), subscription_id, product_block_id, '{"speed": 10}' FROM s, product_blocks
"""
CLEAN = "Code and database know the same catalog.\n"


class Lines:
    """A catalog package whose code changes, and its database; commands run in this process."""

    def __init__(self, run: Run, folder: Path, database_url: str) -> None:
        self.package = folder / "lines_on_test"
        self.package.mkdir()
        self._run = run
        self._url = database_url

    def deploy(self, code: str) -> None:
        """Let this be the code of the package."""
        (self.package / "__init__.py").write_text(code)

    def run(self, *words: str) -> tuple[int, str]:
        """The exit status of a command, and what it said."""
        sys.modules.pop(self.package.name, None)
        ended = self._run(*words, database_url=self._url, catalog=self.package.name)
        return ended.exit_code, ended.output

    def start(self, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        repository = str(Path(__file__).parents[3])
        environment = {
            **os.environ,
            "ORCHESTRATOR_DATABASE_URL": self._url,
            "ORCHESTRATOR_CATALOG": self.package.name,
            "PYTHONPATH": repository,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *words],
            cwd=self.package.parent,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def query(self, statement: str) -> list[Any]:
        with psycopg.connect(libpq_url(self._url)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def revisions(self) -> list[str]:
        """The names of all files in the folder of the revisions."""
        return sorted(file.name for file in (self.package / "migrations").iterdir() if file.is_file())


@pytest.fixture
def lines(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Lines:
    """A package with a product of one block, which the database does not know."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Lines(run, tmp_path, database_url)
    made.deploy(CODE.format(fields="speed: int | None = None"))
    return made


def test_the_command_says_what_differs_and_how_it_ended(lines: Lines) -> None:
    code, said = lines.run("catalog", "check")
    assert (code, said.count("Write a revision")) == (1, 3)
    code, said = lines.run("catalog", "check", "--json")
    assert code == 1
    assert '"kind": "ProductMissing"' in said
    assert '"where": "product Line"' in said

    assert lines.run("db", "revision", "--autogenerate", "-m", "Lines")[0] == 0
    for words in (("catalog", "check"), ("db", "revision", "--autogenerate", "-m", "Again")):
        code, said = lines.run(*words)
        assert code == 4
        assert "run `orchestrator db upgrade` first" in said

    assert lines.run("db", "upgrade")[0] == 0
    assert lines.run("catalog", "check") == (0, CLEAN)
    code, said = lines.run("db", "revision", "--autogenerate", "-m", "Again", "--json")
    assert (code, said) == (0, '{\n  "file": null\n}\n')
    assert lines.revisions() == ["0001_lines.py"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def register(catalog:\n", "SyntaxError"),
        ("raise RuntimeError('no network')\n", "no network"),
        ("import no_such_module\n", "no_such_module"),
    ],
)
def test_a_catalog_that_cannot_be_loaded_is_an_error_of_the_settings(lines: Lines, code: str, said: str) -> None:
    lines.deploy(code)
    for words in (("catalog", "check"), ("db", "revision", "--autogenerate", "-m", "x")):
        status, printed = lines.run(*words)
        assert status == 7
        assert said in printed


def test_without_a_catalog_there_is_nothing_to_compare(run: Run, database_url: str) -> None:
    ended = run("catalog", "check", database_url=database_url)
    assert ended.exit_code == 7
    assert "set ORCHESTRATOR_CATALOG" in ended.output


def test_choices_without_autogenerate_are_a_wrong_command_line(lines: Lines) -> None:
    assert lines.run("db", "revision", "-m", "x", "--rename-block", "a=b")[0] == 2
    assert lines.run("db", "revision", "--autogenerate", "--branch", "schema", "-m", "x")[0] == 2


def test_at_a_terminal_it_asks(lines: Lines) -> None:
    lines.run("db", "revision", "--autogenerate", "-m", "Lines")
    lines.run("db", "upgrade")
    lines.query(SUBSCRIPTION)
    lines.deploy(CODE.format(fields="rate: int\n    site: str"))

    terminal, theirs = pty.openpty()
    try:
        process = lines.start("db", "revision", "--autogenerate", "-m", "Rates", stdin=theirs)
        os.write(terminal, b'1\n"here"\n')
        said, asked = process.communicate(timeout=120)
    finally:
        os.close(terminal)
        os.close(theirs)

    assert process.returncode == 0, asked
    assert "1: it is called rate now" in asked
    assert "1 live block 'Line' must have a value of 'site' (str)" in asked
    assert said.startswith("Wrote ")
    assert lines.run("db", "upgrade")[0] == 0
    assert lines.query('SELECT "values" FROM subscription_instances') == [({"rate": 10, "site": "here"},)]


def test_who_is_killed_while_writing_leaves_no_revision(lines: Lines) -> None:
    folder = lines.package / "migrations"
    folder.mkdir()
    part = folder / ".0001_lines.py.part"
    os.mkfifo(part)  # whoever opens it to write waits for a reader that never comes

    process = lines.start("db", "revision", "--autogenerate", "-m", "Lines")
    _wait_until_opened(part, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert lines.revisions() == []
    part.unlink()
    part.write_text("half of a rev")
    assert lines.run("db", "revision", "--autogenerate", "-m", "Lines")[0] == 0
    assert lines.revisions() == ["0001_lines.py"]
    assert lines.run("db", "upgrade")[0] == 0


def _wait_until_opened(fifo: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the command holds the lock of the folder, under which it writes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None
        if _is_locked(fifo.parent):
            time.sleep(0.2)
            return
        time.sleep(0.05)
    raise AssertionError("the command never came to write")


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
