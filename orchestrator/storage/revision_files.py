"""The files that revisions are written in: where they lie, what a database lacks of them, and how new ones are made.

The branch `schema` lies in `orchestrator.migrations`, the branch `data` in the folder `migrations` of a catalog
package. Of several packages the second and further ones have branches of their own names.
"""

from __future__ import annotations

import importlib.util
import re
from argparse import Namespace
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import rev_id
from sqlalchemy import Connection

from orchestrator.errors import MigrationError, SettingsError
from orchestrator.storage.tables import Base

SCHEMA = "schema"
DATA = "data"
_SCHEMA_IMPORTS = [
    "import sqlalchemy as sa",
    "from sqlalchemy import Text",
    "from sqlalchemy.dialects import postgresql",
]
_SCHEMA_NAME = "schema_{:04}"
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

    A newest one that is not known means that its branch is ahead of this code, which then lacks nothing there.
    """
    known = {revision.revision: revision for revision in script.walk_revisions()}
    ahead = {_kind(name) for name in current if name not in known}
    applied: set[str] = set()
    waiting = [name for name in current if name in known]
    while waiting:
        name = waiting.pop()
        applied.add(name)
        waiting += [below for below in _below(script, known[name]) if below not in applied]
    return [name for name in reversed(known) if name not in applied and _kind(name) not in ahead]


def write_data_revision(packages: Sequence[str], package: str, message: str) -> Path:
    """Write an empty revision into a catalog package, on top of its newest; the folder is made when it is missing.

    Raises MigrationError when the package has two newest revisions.
    """
    folder = find_folder(package) / "migrations"
    folder.mkdir(exist_ok=True)
    script = ScriptDirectory.from_config(configuration(packages))
    revisions = list(script.walk_revisions())
    tops = [revision for revision in revisions if Path(revision.path).parent == folder and revision.is_head]
    if len(tops) > 1:
        names = " and ".join(Path(top.path).name for top in tops)
        raise MigrationError(f"{package} has more than one newest revision: {names}. Let one follow the other first.")
    labels = {label for revision in revisions for label in revision.branch_labels}
    return _write(
        script,
        folder,
        message,
        revision=rev_id(),
        head=tops[0].revision if tops else "base",
        label=None if tops else package.replace(".", "_") if DATA in labels else DATA,
        depends_on=f"{SCHEMA}@head",
        imports=["", "from orchestrator.migrations.catalog import create, delete"],
        constants=_CATALOG,
        upgrades="create(op.get_bind(), CATALOG)",
        downgrades="delete(op.get_bind(), CATALOG)",
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
        script,
        folder,
        message,
        revision=_SCHEMA_NAME.format(_next_number(folder)),
        head=f"{SCHEMA}@head",
        label=None,
        depends_on=None,
        imports=_SCHEMA_IMPORTS,
        constants="",
        upgrades=render_python_code(changes.upgrade_ops_list[0]),
        downgrades=render_python_code(changes.downgrade_ops_list[0]),
    )


def _write(
    script: ScriptDirectory,
    folder: Path,
    message: str,
    *,
    revision: str,
    head: str,
    label: str | None,
    depends_on: str | None,
    **template: Any,
) -> Path:
    said = message.strip().rstrip(".").replace("\\", "/").replace('"', "'")
    if not said:
        raise MigrationError("A revision needs a message that says what it does.")
    script.file_template = f"{_next_number(folder):04}_%(slug)s"
    script.generate_revision(
        revision, said, head=head, branch_labels=label, version_path=folder, depends_on=depends_on, **template
    )
    return next(Path(made.path) for made in script.walk_revisions() if made.revision == revision)


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
