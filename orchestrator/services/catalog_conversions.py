"""Values that are there already and a type that is another one now: do they fit, or can they be made to?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from orchestrator.domain.catalog_differences import ResourceTypeDiffers
from orchestrator.services.catalog_questions import Obstacle
from orchestrator.storage.catalog_reading import DistinctValue

# Which kinds of JSON can be made which, and back.
_CONVERTIBLE: Final = {"string": ("number", "boolean"), "number": ("string",), "boolean": ("string",)}


@dataclass(frozen=True)
class Conversion:
    """The kind of JSON that values become, and the kind that they were; None: they stay."""

    up: str | None
    down: str | None


def conversion_for(difference: ResourceTypeDiffers, values: Iterable[DistinctValue]) -> Conversion | Obstacle:
    """What is to be done with these values, so that they fit the type that the code has now."""
    field, kinds = difference.field, difference.kinds
    conversion = Conversion(None, None)
    if not kinds <= field.kinds:
        made = next((kind for kind, sources in _CONVERTIBLE.items() if kind in field.kinds and kinds <= {*sources}), "")
        if not made or len(kinds) > 1:
            return _stuck(difference, f"its values are JSON of the kind {' or '.join(sorted(kinds))}")
        conversion = Conversion(made, next(iter(kinds)))
    wrong = [one for one in values if not _fits(difference, one, conversion.up)]
    if wrong:
        number = sum(one.number for one in wrong)
        return _stuck(difference, f"{number} of its values do not fit, like {wrong[0].text!r}")
    return conversion


def _fits(difference: ResourceTypeDiffers, value: DistinctValue, kind: str | None) -> bool:
    try:
        stored: Any = value.text if kind == "string" else json.loads(value.text) if kind else value.value
        difference.field.adapter.validate_python(stored)
    except (ValueError, ValidationError):
        return False
    return True


def _stuck(difference: ResourceTypeDiffers, why: str) -> Obstacle:
    place = f"{difference.block}.{difference.field.name}"
    return Obstacle(
        f"{place} was {difference.in_database} and is {difference.field.type_name} in the code, but {why}: correct "
        "them first, or write a revision by hand that does."
    )
