"""Is the database's catalog that of the code?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from orchestrator.domain.catalog_comparison import catalog_differences
from orchestrator.domain.catalog_differences import CatalogDifference
from orchestrator.domain.catalog_in_code import CodeCatalog, describe_code
from orchestrator.language.catalog import Catalog
from orchestrator.services.catalog_sentences import Sentence, sentence_of
from orchestrator.storage.catalog_reading import StoredCatalog, read_catalog
from orchestrator.storage.migrating import Migrations


@dataclass(frozen=True)
class ComparedCatalog:
    """Both sides, and what differs."""

    code: CodeCatalog
    stored: StoredCatalog
    differences: tuple[CatalogDifference, ...]


def check_catalog(migrations: Migrations, catalog: Catalog) -> tuple[Sentence, ...]:
    """All differences in words; none when database and code agree.

    Raises:
        ConflictError: the database lacks migrations.
        OrchestratorError: as `compare_catalog`, and as `Migrations`.
    """
    with migrations.connection() as connection:
        migrations.require_up_to_date(connection)
        found = tuple(map(sentence_of, compare_catalog(connection, catalog).differences))
    if len(migrations.packages) < 2:
        return found
    whose = f" Say with `--package` which one it is for: {', '.join(migrations.packages)}."
    return tuple(replace(one, mend=one.mend + whose) if "--autogenerate" in one.mend else one for one in found)


def compare_catalog(connection: Connection, catalog: Catalog) -> ComparedCatalog:
    """Compare registered models and workflows with the database, which has the newest schema.

    Raises:
        AuthoringError: the code contradicts itself.
    """
    code, stored = describe_code(catalog), read_catalog(connection)
    return ComparedCatalog(code, stored, catalog_differences(code, stored))
