"""Writing revisions of the catalog when something is in the way: other writers, and what cannot be written to."""

from __future__ import annotations

import re

import pytest

from orchestrator.errors import AuthoringError, ConflictError, InvalidInputError, MigrationError
from orchestrator.language.vocabulary import Target
from orchestrator.services.catalog_questions import DefaultQuestion, GoneQuestion
from tests.integration.catalog.catalog_world import CatalogWorld, named


def revisions(world: CatalogWorld) -> list[str]:
    return sorted(file.name for file in (world.package / "migrations").glob("*.py"))


def some_code(world: CatalogWorld, *names: str) -> None:
    catalog = world.release()
    for name in names:
        catalog.add_workflow(named(name, Target.SYSTEM))


def test_the_same_difference_makes_the_same_file(world: CatalogWorld) -> None:
    some_code(world, "first", "second")
    file = world.write("Both")
    assert file is not None
    written = file.read_text()
    file.unlink()
    some_code(world, "second", "first")
    assert world.write("Both") == file
    assert file.read_text() == written


def test_of_two_who_write_at_once_one_is_told_to_upgrade_first(world: CatalogWorld) -> None:
    some_code(world, "old")
    world.deploy("Old")
    world.query(
        "WITH v AS (INSERT INTO workflow_versions (workflow_name, hash, steps) VALUES ('old', 'x', '[]') RETURNING *) "
        "INSERT INTO processes (process_id, workflow_id, version_id, target, status, created_by) "
        "SELECT gen_random_uuid(), workflow_id, version_id, target, 'suspended', 'me' "
        "FROM workflows, v WHERE name = 'old'"
    )
    some_code(world, "new")

    def answer_slowly(question: GoneQuestion | DefaultQuestion) -> object:
        assert isinstance(question, GoneQuestion)
        world.migrations.create_revision("Somebody else's")
        return question.answers[0]

    with pytest.raises(MigrationError, match=r"Somebody else has written a revision .* run `orchestrator db upgrade`"):
        world.write("Mine", ask=answer_slowly)  # type: ignore[arg-type]
    assert revisions(world) == ["0001_old.py", "0002_somebody_else_s.py"]

    world.migrations.upgrade()
    world.deploy("Mine", rename_workflow=("old=new",))
    assert world.query("SELECT workflow_name FROM workflow_versions") == [("new",)]


def test_a_package_with_two_newest_revisions_gets_no_third(world: CatalogWorld) -> None:
    some_code(world, "first")
    world.deploy("First")
    some_code(world, "first", "second")
    file = world.write("Second")
    assert file is not None
    twin = file.with_name("0002_twin.py")
    twin.write_text(re.sub('revision = "[^"]*"', 'revision = "twin"', file.read_text(), count=1))
    with pytest.raises(MigrationError, match=r"more than one newest revision: 0002_.* and 0002_"):
        world.write("Third")


def test_two_first_revisions_contradict_each_other(world: CatalogWorld) -> None:
    some_code(world, "first")
    file = world.write("First")
    assert file is not None
    twin = file.with_name("0001_twin.py")
    twin.write_text(re.sub('revision = "[^"]*"', 'revision = "twin"', file.read_text(), count=1))
    with pytest.raises(MigrationError, match=r"files of the revisions contradict each other: Branch name 'data'"):
        world.write("Second")


def test_a_database_that_is_ahead_of_the_files_is_not_written_for(world: CatalogWorld) -> None:
    some_code(world, "first")
    file = world.deploy("First")
    file.unlink()
    with pytest.raises(ConflictError, match="which is not here: is the catalog complete"):
        world.write("Second")


def test_a_package_that_cannot_be_written_to_is_told(world: CatalogWorld) -> None:
    (world.package / "migrations").write_text("a file where the folder should be")
    some_code(world, "first")
    with pytest.raises(MigrationError, match=r"No revision can be written to .*migrations: "):
        world.write("First")


@pytest.mark.parametrize(
    "choices",
    [
        {"rename_product": ("a=b",)},
        {"rename_block": ("a=b",)},
        {"rename_workflow": ("first=b",)},
        {"rename_resource_type": ("a.b=c",)},
        {"rename_fixed_input": ("a.b=c",)},
        {"remove_resource_type": ("a.b",)},
        {"remove_workflow": ("first",)},
        {"default": ("a.b=1",)},
    ],
)
def test_a_choice_that_fits_nothing_is_refused(world: CatalogWorld, choices: dict[str, tuple[str, ...]]) -> None:
    some_code(world, "first")
    with pytest.raises(InvalidInputError, match=r"fits no difference; what fits: nothing, at present\."):
        world.write(**choices)


def test_code_that_contradicts_itself_is_refused(world: CatalogWorld) -> None:
    world.release().add_workflow(named("first"), products=["Nobody's"])
    with pytest.raises(AuthoringError, match="'first' is for \"Nobody's\", which no add_product has registered"):
        world.check()


def test_a_new_workflow_for_one_of_many_products_has_to_say_for_which(world: CatalogWorld) -> None:
    world.release().add_workflow(named("first"))
    with pytest.raises(ConflictError, match=r"catalog.add_workflow\(first, products=\[...\]\)"):
        world.write()
