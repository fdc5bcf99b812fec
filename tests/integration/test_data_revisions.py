"""The branch `data`: revisions in the folder `migrations` of a catalog package, found, made, applied and taken back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from orchestrator.errors import ConflictError, DataRevisionError, MigrationError, SettingsError
from orchestrator.storage.database import libpq_url
from orchestrator.storage.migrating import Migrations

REPOSITORY = Path(__file__).parents[2]
SCHEMA = sorted(f"schema_{file.name[:4]}" for file in (REPOSITORY / "migrations/versions/schema").glob("0*.py"))
PRODUCT = '"products": {"Node Enrollment": {"product_type": "Node", "tag": "NodeEnrollment"}},'
REVISION = '''
"""Written by hand, with the dict of the documentation."""

from alembic import op
from orchestrator.migrations.catalog import create_product, create_workflow, delete_product, delete_workflow

revision = "{revision}"
down_revision = {down}
branch_labels = {label}
depends_on = "schema_0001"

params_create = dict(
    name="create_node_enrollment",
    target="CREATE",
    description="Create Node Enrollment Service",
    tag="NodeEnrollment",
    search_phrase="{phrase}",
)


def upgrade() -> None:
    create_product(op.get_bind(), name="{product}", product_type="Node", tag="NodeEnrollment")
    create_workflow(op.get_bind(), params_create)
    {more}


def downgrade() -> None:
    delete_workflow(op.get_bind(), params_create)
    delete_product(op.get_bind(), name="{product}")
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog package of this test's own, which Python finds; nothing is in it."""
    return _make_package(tmp_path, monkeypatch)


def _make_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = folder / f"network_{uuid4().hex[:8]}"
    made.mkdir()
    (made / "__init__.py").write_text('raise RuntimeError("looking for migrations must not import the catalog")\n')
    monkeypatch.syspath_prepend(folder)
    return made


def _write(package: Path, number: int, *, phrase: str = "Node%", product: str | None = None, more: str = "") -> None:
    folder = package / "migrations"
    folder.mkdir(exist_ok=True)
    (folder / f"{number:04}_by_hand.py").write_text(
        REVISION.format(
            revision=f"hand_{number}",
            down=repr(f"hand_{number - 1}") if number > 1 else None,
            label="None" if number > 1 else '("data",)',
            phrase=phrase,
            product=product or f"Node {number}",
            more=more,
        )
    )


def _rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(libpq_url(database_url)) as connection:
        return connection.execute(query.encode()).fetchall()


LINKS = (
    "SELECT p.name FROM products p JOIN products_workflows USING (product_id) JOIN workflows w USING (workflow_id) "
    "WHERE w.deleted_at IS NULL AND w.name <> 'modify_note' ORDER BY 1"
)
BUILT_IN = "(SELECT name FROM workflows WHERE workflow_id < '019b0000-0000-7000-8000-000000000000')"


def test_revisions_of_a_catalog_package_are_applied_after_the_schema(empty_database_url: str, package: Path) -> None:
    _write(package, 1)
    _write(package, 2)
    migrations = Migrations(empty_database_url, [package.name])
    assert set(migrations.pending()) == {*SCHEMA, "hand_1", "hand_2"}
    assert migrations.pending()[0] == SCHEMA[0]
    assert migrations.heads() == ["hand_2", SCHEMA[-1]]

    migrations.upgrade()

    assert migrations.pending() == []
    assert _rows(empty_database_url, LINKS) == [("Node 1",), ("Node 2",)]


def test_data_goes_down_alone_and_up_again(empty_database_url: str, package: Path) -> None:
    _write(package, 1)
    _write(package, 2, phrase="Node 2%")
    migrations = Migrations(empty_database_url, [package.name])
    migrations.upgrade()

    migrations.downgrade("data@-1")
    assert _rows(empty_database_url, LINKS) == [("Node 1",)]
    assert migrations.pending() == ["hand_2"]

    migrations.downgrade("data@base")
    assert (
        _rows(empty_database_url, f"SELECT name FROM workflows EXCEPT {BUILT_IN} UNION SELECT name FROM products") == []
    )
    assert migrations.pending() == ["hand_1", "hand_2"]
    assert migrations.current() == SCHEMA[-1:]

    migrations.upgrade()
    assert _rows(empty_database_url, LINKS) == [("Node 1",), ("Node 2",)]

    migrations.downgrade("base")
    assert migrations.current() == []


def test_without_the_folder_there_is_the_schema_alone(empty_database_url: str, package: Path) -> None:
    migrations = Migrations(empty_database_url, [package.name])
    migrations.upgrade()
    assert migrations.current() == SCHEMA[-1:]


def test_a_revision_that_fails_leaves_those_before_it(empty_database_url: str, package: Path) -> None:
    _write(package, 1)
    _write(package, 2, phrase="Nothing like this")
    migrations = Migrations(empty_database_url, [package.name])

    with pytest.raises(DataRevisionError, match="would be linked to nothing"):
        migrations.upgrade()

    assert migrations.pending() == ["hand_2"]
    assert _rows(empty_database_url, "SELECT name FROM products") == [("Node 1",)]


def test_a_revision_does_not_wait_long_for_a_table_in_use(database_url: str, package: Path) -> None:
    # The default would be noticed by nobody in a test: the revision says what it found, and waits less.
    more = """
    found = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar_one()
    op.execute(f"INSERT INTO resource_types VALUES (gen_random_uuid(), 'lock_timeout {found}')")
    """
    _write(package, 1, more=more)
    _write(package, 2, more="op.execute(\"SET LOCAL lock_timeout = '50ms'\"); op.execute('LOCK TABLE processes')")
    migrations = Migrations(database_url, [package.name])

    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute("LOCK TABLE processes IN ROW EXCLUSIVE MODE")
        with pytest.raises(ConflictError, match="A table that has to change was in use for too long"):
            migrations.upgrade()

    assert _rows(database_url, "SELECT resource_type FROM resource_types") == [("lock_timeout 5s",)]
    assert migrations.pending() == ["hand_2"]
    migrations.upgrade()
    assert migrations.pending() == []


def test_a_new_revision_follows_the_newest_and_works_once_it_is_filled_in(database_url: str, package: Path) -> None:
    migrations = Migrations(database_url, [package.name])

    first = migrations.create_revision("Add the first products")
    assert first == package / "migrations" / "0001_add_the_first_products.py"
    first.write_text(first.read_text().replace('"products": {},', PRODUCT))
    second = migrations.create_revision('Say "more"\\ about them.')
    assert second.name == "0002_say_more_about_them.py"
    subprocess.run([sys.executable, "-m", "ruff", "check", "-q", "--select", "E,F,W", first, second], check=True)

    migrations.upgrade()
    assert _rows(database_url, "SELECT name FROM products") == [("Node Enrollment",)]
    assert migrations.pending() == []

    migrations.downgrade("data@base")
    assert _rows(database_url, "SELECT name FROM products") == []


def test_each_of_several_packages_has_a_branch_of_its_own(
    database_url: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _make_package(tmp_path, monkeypatch)
    migrations = Migrations(database_url, [package.name, other.name])
    with pytest.raises(SettingsError, match=r"Name the catalog package .* with --package; there are: network_"):
        migrations.create_revision("Whose?")

    for made in (package, other):
        migrations.create_revision("Begin", package=made.name)
        migrations.create_revision("Go on", package=made.name)
    migrations.upgrade()
    assert migrations.pending() == []

    migrations.downgrade(f"{other.name}@base")
    assert len(migrations.pending()) == 2
    migrations.downgrade("data@base")
    assert len(migrations.pending()) == 4


def test_a_package_with_two_newest_revisions_gets_no_third(database_url: str, package: Path) -> None:
    _write(package, 1)
    _write(package, 2)
    twin = (package / "migrations" / "0002_by_hand.py").read_text().replace("hand_2", "twin")
    (package / "migrations" / "0002_twin.py").write_text(twin)

    with pytest.raises(MigrationError, match=r"more than one newest revision: .*0002_"):
        Migrations(database_url, [package.name]).create_revision("Which?")


def test_what_cannot_be_made_into_a_revision_is_refused(database_url: str, package: Path) -> None:
    with pytest.raises(MigrationError, match="There is no branch 'dta'"):
        Migrations(database_url, [package.name]).create_revision("x", branch="dta")
    with pytest.raises(MigrationError, match="needs a message"):
        Migrations(database_url, [package.name]).create_revision("  . ")
    with pytest.raises(SettingsError, match="there are: none"):
        Migrations(database_url).create_revision("x")


def test_a_catalog_that_python_does_not_find_is_an_error_of_the_settings(database_url: str, package: Path) -> None:
    (package.parent / "only_a_module.py").write_text("")
    for name, said in (
        ("no_such_package", "There is no package 'no_such_package'"),
        ("no_such_package.within", "There is no package 'no_such_package.within'"),
        ("only_a_module", "'only_a_module' is a module"),
    ):
        with pytest.raises(SettingsError, match=said):
            Migrations(database_url, [name]).pending()


def test_a_schema_revision_has_the_differences_between_models_and_database(database_url: str, tmp_path: Path) -> None:
    # In a copy of the source, which the new file then belongs to.
    for folder in ("orchestrator", "migrations"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, symlinks=True, ignore=ignored)
    program = (
        "import sys; from orchestrator.storage.migrating import Migrations; migrations = Migrations(sys.argv[1]); "
        "print(migrations.create_revision('Give the note back', branch='schema')); migrations.upgrade(); "
        "print(migrations.current(), migrations.pending())"
    )
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute("ALTER TABLE processes DROP COLUMN note")

    command = [sys.executable, "-c", program, database_url]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()

    number = f"{len(SCHEMA) + 1:04}"
    assert said[0].endswith(f"versions/schema/{number}_give_the_note_back.py")
    assert Path(said[0]).resolve().is_relative_to(tmp_path.resolve())
    assert said[1] == f"['schema_{number}'] []"
    columns = (
        "SELECT is_nullable FROM information_schema.columns WHERE table_name = 'processes' AND column_name = 'note'"
    )
    assert _rows(database_url, columns) == [("YES",)]
