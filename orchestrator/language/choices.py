"""Fields of forms that offer a choice, and the page that sums up what was entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, WrapValidator, create_model
from pydantic_core import CoreSchema, core_schema
from pydantic_forms.validators import migration_summary

from orchestrator.language.forms import SubmitFormPage


@dataclass(frozen=True)
class OneOf:
    """Says of a text that it is one of some values: `node: Annotated[str, OneOf({"17": "ams-cr6"})]`.

    Args:
        options: values with what people see of them.
        none: what is said when there is nothing to choose from.
    """

    options: Mapping[str, str]
    none: str = "there is nothing to choose from"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **_shown(self.options)}

    def _known(self, value: str) -> str:
        if value not in self.options:
            raise ValueError(_refusal(value, self.options, self.none))
        return value


@dataclass(frozen=True)
class SomeOf:
    """Says of a list of texts that each is one of some values, none twice, at least and at most so many.

    `ports: Annotated[list[str], SomeOf({"1": "a port", "2": "another"}, 2, 8)]`.
    """

    options: Mapping[str, str]
    least: int = 0
    most: int | None = None
    none: str = "there is nothing to choose from"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        limits = {"minItems": self.least} | ({} if self.most is None else {"maxItems": self.most})
        items = {"type": "string", **_shown(self.options)}
        return {**handler(schema), "items": items, "uniqueItems": True, **limits}

    def _known(self, values: list[str]) -> list[str]:
        for value in values:
            if value not in self.options:
                raise ValueError(_refusal(value, self.options, self.none))
        if len(set(values)) != len(values):
            raise ValueError("nothing can be chosen twice")
        if len(values) < self.least or (self.most is not None and len(values) > self.most):
            limits = f"at least {self.least}" + ("" if self.most is None else f" and at most {self.most}")
            raise ValueError(f"{len(values)} were chosen, but it must be {limits}")
        return values


def summary_page(title: str, rows: Mapping[str, Any], *, headers: tuple[str, ...] = ()) -> type[SubmitFormPage]:
    """The last page of a form: a table of what was entered, with nothing to fill in.

    Args:
        title: of the page.
        rows: what each label says; with more than one column, a tuple for each, such as `(old, new)`.
        headers: of the columns.
    """
    cells = [row if isinstance(row, tuple) else (row,) for row in rows.values()]
    table = migration_summary(
        {
            "labels": list(rows),
            "headers": list(headers),
            "columns": [[_cell(value) for value in column] for column in zip(*cells, strict=True)],
        }
    )
    # Its schema suggests null for it, and there are clients that send back what they show: whatever comes is dropped.
    field = Annotated[table, WrapValidator(lambda _sent, _validate: None)]  # type: ignore[valid-type]
    return create_model("SummaryPage", __base__=SubmitFormPage, __cls_kwargs__={"title": title}, summary=(field, None))


def _cell(value: Any) -> str | int | float | bool:
    match value:
        case None:
            return "none"
        case str() | int() | float() | bool():
            return value
        case list() | tuple():
            return ", ".join(str(item) for item in value) or "none"
        case _:
            return str(value)


def _shown(options: Mapping[str, str]) -> dict[str, Any]:
    return {"enum": list(options), "options": dict(options)}


def _refusal(value: str, options: Mapping[str, str], none: str) -> str:
    if not options:
        return none
    return f"{value} is not among the choices: {', '.join(options)}"
