"""Settings, servers and migrations."""

from __future__ import annotations

from orchestrator.errors.tree import OrchestratorError, SettingsError


class DataFolderError(SettingsError):
    """The data folder cannot be used."""


class AlreadyRunningError(SettingsError):
    """An orchestrator is already running on this data folder."""


class EmbeddedPackageMissingError(SettingsError):
    """The wheels with PostgreSQL and Valkey are not installed."""


class EmbeddedServerError(SettingsError):
    """A server of this machine cannot be started."""


class ProcfileError(SettingsError):
    """The Procfile cannot be read."""


class PortTakenError(SettingsError):
    """The port to listen on is taken."""


class MigrationError(OrchestratorError):
    """The database cannot be migrated."""


class ServerTooOldError(SettingsError):
    """The PostgreSQL server is too old."""


class DataRevisionError(MigrationError):
    """A data revision asks for something that cannot be done."""
