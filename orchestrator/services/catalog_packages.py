"""The catalog: what the packages that ORCHESTRATOR_CATALOG names register."""

from __future__ import annotations

import importlib

from orchestrator.domain.registry import use_products
from orchestrator.errors import SettingsError
from orchestrator.language.catalog import Catalog
from orchestrator.services.builtin_workflows import register_builtin
from orchestrator.settings import Settings


def load_catalog(settings: Settings) -> Catalog:
    """Import the packages that ORCHESTRATOR_CATALOG names and let each register its products and workflows.

    The built-in workflows follow; a package may have its own of the same name.

    Raises:
        SettingsError: a package cannot be imported, or has no `register(catalog)`.
    """
    catalog = Catalog()
    for name in settings.catalog_packages():
        try:
            package = importlib.import_module(name)
        except ImportError as error:
            raise SettingsError(
                f"ORCHESTRATOR_CATALOG names the package {name!r}, which cannot be imported: {error}"
            ) from error
        register = getattr(package, "register", None)
        if not callable(register):
            raise SettingsError(
                f"ORCHESTRATOR_CATALOG names {name!r}, which has no function register(catalog); what was imported is "
                f"{getattr(package, '__file__', None) or 'a folder without an __init__.py'}"
            )
        register(catalog)
    register_builtin(catalog)
    use_products(catalog.products)
    return catalog
