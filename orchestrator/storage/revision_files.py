"""The files that revisions are written in: where they lie, what a database lacks of them, and how new ones are made.

The branch `schema` lies in `orchestrator.migrations`, the branch `data` in the folder `migrations` of a catalog
package. Of several packages the second and further ones have branches of their own names.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, rev_id, template_to_file
from sqlalchemy import Connection

from orchestrator.errors import MigrationError, SettingsError
from orchestrator.storage.revision_text import Call, body_of, imports_of, uses_ids
from orchestrator.storage.tables import Base

SCHEMA = "schema"
DATA = "data"
_SCHEMA_IMPORTS = [
    "import sqlalchemy as sa",
    "from sqlalchemy import Text",
    "from sqlalchemy.dialects import postgresql",
]
_SCHEMA_NAME = "schema_{:04}"
_LONGEST_SLUG: Final = 40
_CATALOG = """
CATALOG = {
    "resource_types": {},
    "product_blocks": {},
    "products": {},
    "workflows": [],
}
"""


def find_folder(package: str) -> Path:
    """Return the folder of a package without importing it; raises SettingsError when there is none of that name."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise SettingsError(f"There is no package {package!r} where Python looks: is it installed, is its name right?")
    if not spec.submodule_search_locations:
        raise SettingsError(f"{package!r} is a module: a package (a folder) is needed, to hold its migrations.")
    return Path(next(iter(spec.submodule_search_locations)))


def configuration(packages: Sequence[str], connection: Connection | None = None) -> Config:
    """Return the settings of alembic: no file, nothing printed, the connection handed to `env.py`."""
    ours = find_folder("orchestrator.migrations")
    places = [_schema_folder(), *(find_folder(package) / "migrations" for package in packages)]
    config = Config(cmd_opts=Namespace(quiet=True), attributes={"connection": connection})
    # Config interpolates: a percent sign in a path has to be doubled.
    for name, value in {
        "script_location": str(ours),
        "path_separator": "newline",
        "version_locations": "\n".join(str(place) for place in places if place.is_dir()),
    }.items():
        config.set_main_option(name, value.replace("%", "%%"))
    return config


def missing(script: ScriptDirectory, current: Collection[str]) -> list[str]:
    """Return the revisions that a database with these newest ones lacks, oldest first.

    A newest one that is not known means that its branch is ahead of this code, which then lacks nothing there. So is
    the schema when it is not named at all: then a revision that is not known depends on it.

    Raises:
        MigrationError: files contradict each other.
    """
    known = {revision.revision: revision for revision in all_revisions(script)}
    ahead = {_kind(name) for name in current if name not in known}
    if ahead and SCHEMA not in map(_kind, current):
        ahead.add(SCHEMA)
    applied: set[str] = set()
    waiting = [name for name in current if name in known]
    while waiting:
        name = waiting.pop()
        applied.add(name)
        waiting += [below for below in _below(script, known[name]) if below not in applied]
    return [name for name in reversed(known) if name not in applied and _kind(name) not in ahead]


def all_revisions(script: ScriptDirectory) -> list[Script]:
    """All revisions that can be found, newest first.

    Raises:
        MigrationError: files contradict each other, like two that both begin a branch.
    """
    try:
        return list(script.walk_revisions())
    except CommandError as error:
        raise MigrationError(f"The files of the revisions contradict each other: {error}.") from error


def newest_of(packages: Sequence[str], package: str) -> str | None:
    """The newest revision of a catalog package, None when it has none.

    Raises:
        MigrationError: it has two.
    """
    top = _newest(ScriptDirectory.from_config(configuration(packages)), package)
    return None if top is None else top.revision


def write_data_revision(packages: Sequence[str], package: str, message: str) -> Path:
    """Write an empty revision into a catalog package, on top of its newest; the folder is made when it is missing.

    Raises MigrationError when the package has two newest revisions, or cannot be written to.
    """
    with _folder_of(package) as folder:
        return _write_data(
            packages,
            package,
            folder,
            message,
            revision=rev_id(),
            imports=["", "from orchestrator.migrations.catalog import create, delete"],
            constants=_CATALOG,
            upgrades="create(op.get_bind(), CATALOG)",
            downgrades="delete(op.get_bind(), CATALOG)",
        )


def write_catalog_revision(
    packages: Sequence[str], package: str, message: str, up: Sequence[Call], down: Sequence[Call], previous: str | None
) -> Path:
    """Write a revision that makes these calls into a catalog package, on top of `previous`.

    The same calls with the same message make the same file.

    Raises:
        MigrationError: another revision has been written since `previous` was, or the package cannot be written to.
    """
    upgrades, downgrades = body_of(up), body_of(down)
    content = "\n".join((package, previous or "", message, upgrades, downgrades))
    calls = (*up, *down)
    with _folder_of(package) as folder:
        if newest_of(packages, package) != previous:
            raise MigrationError(
                f"Somebody else has written a revision for {package} meanwhile: run `orchestrator db upgrade`, then "
                "try again."
            )
        return _write_data(
            packages,
            package,
            folder,
            message,
            revision=hashlib.sha256(content.encode()).hexdigest()[:12],
            imports=imports_of(calls),
            standard_imports=["from uuid import UUID", ""] if uses_ids(calls) else [],
            constants="",
            upgrades=upgrades,
            downgrades=downgrades,
        )


def _newest(script: ScriptDirectory, package: str) -> Script | None:
    folder = find_folder(package) / "migrations"
    tops = [one for one in all_revisions(script) if Path(one.path).parent == folder and one.is_head]
    if len(tops) > 1:
        names = " and ".join(Path(top.path).name for top in tops)
        raise MigrationError(f"{package} has more than one newest revision: {names}. Let one follow the other first.")
    return tops[0] if tops else None


def _write_data(
    packages: Sequence[str], package: str, folder: Path, message: str, *, revision: str, **template: Any
) -> Path:
    script = ScriptDirectory.from_config(configuration(packages))
    top = _newest(script, package)
    labels = {label for known in all_revisions(script) for label in known.branch_labels}
    label = package.replace(".", "_") if DATA in labels else DATA
    return _write(
        folder,
        message,
        up_revision=revision,
        down_revision=None if top is None else top.revision,
        branch_labels=None if top is not None else (label,),
        depends_on=_schema_head(script),
        **template,
    )


@contextmanager
def _folder_of(package: str) -> Iterator[Path]:
    """The folder of a package's revisions, made when it is missing, for one writer at a time."""
    folder = find_folder(package) / "migrations"
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise MigrationError(_cannot_write(folder, error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)


def _cannot_write(folder: Path, error: OSError) -> str:
    return (
        f"No revision can be written to {folder}: {error.strerror}. Work on a copy of the package that you may change, "
        "like a clone installed with `pip install --editable`."
    )


def write_schema_revision(connection: Connection, message: str) -> Path:
    """Write the differences between the models and this (migrated) database into a new revision of the schema."""
    script = ScriptDirectory.from_config(configuration(()))
    context = MigrationContext.configure(
        connection, opts={"target_metadata": Base.metadata, "compare_server_default": True}
    )
    changes = produce_migrations(context, Base.metadata)
    folder = _schema_folder()
    return _write(
        folder,
        message,
        up_revision=_SCHEMA_NAME.format(_next_number(folder)),
        down_revision=_schema_head(script),
        branch_labels=None,
        depends_on=None,
        imports=_SCHEMA_IMPORTS,
        constants="",
        upgrades=render_python_code(changes.upgrade_ops_list[0]),
        downgrades=render_python_code(changes.downgrade_ops_list[0]),
    )


def _write(folder: Path, message: str, **template: Any) -> Path:
    """Write a file, whole or not at all: until it has its name, alembic does not see it."""
    said = " ".join(message.split()).rstrip(".").replace("\\", "/").replace('"', "'")
    if not said:
        raise MigrationError("A revision needs a message that says what it does.")
    file = folder / f"{_next_number(folder):04}_{_slug(said)}.py"
    source = find_folder("orchestrator.migrations") / "script.py.mako"
    part = file.with_name(f".{file.name}.part")
    try:
        template_to_file(source, part, "utf-8", message=said, **{"standard_imports": [], **template})
        part.rename(file)
    except OSError as error:
        raise MigrationError(_cannot_write(folder, error)) from error
    return file


def _slug(message: str) -> str:
    words = "_".join(re.findall(r"\w+", message)).lower()
    return words if len(words) <= _LONGEST_SLUG else words[:_LONGEST_SLUG].rpartition("_")[0] or words[:_LONGEST_SLUG]


def _schema_head(script: ScriptDirectory) -> str:
    head = script.get_revision(f"{SCHEMA}@head")
    assert head is not None
    return head.revision


def _schema_folder() -> Path:
    return find_folder("orchestrator.migrations") / "versions" / "schema"


def _next_number(folder: Path) -> int:
    numbers = [int(found[0]) for file in folder.glob("*.py") if (found := re.match(r"\d+", file.name))]
    return max(numbers, default=0) + 1


def _kind(revision: str) -> str:
    return SCHEMA if revision.startswith("schema_") else DATA


def _below(script: ScriptDirectory, revision: Script) -> list[str]:
    names = [*_as_tuple(revision.down_revision), *_as_tuple(revision.dependencies)]
    return [below.revision for below in script.get_revisions(names)]


def _as_tuple(names: str | Collection[str] | None) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
