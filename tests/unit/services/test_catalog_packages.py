"""Packages that ORCHESTRATOR_CATALOG names, and that are none."""

from __future__ import annotations

import wave

import pytest

from orchestrator.errors import SettingsError
from orchestrator.services.catalog_packages import load_catalog
from orchestrator.settings import Settings


def test_a_module_of_the_standard_library_in_place_of_a_package_is_refused_with_its_file() -> None:
    with pytest.raises(SettingsError) as refused:
        load_catalog(Settings(catalog="wave"))

    assert str(refused.value) == (
        "ORCHESTRATOR_CATALOG names 'wave', which has no function register(catalog); what was imported is "
        f"{wave.__file__}"
    )
