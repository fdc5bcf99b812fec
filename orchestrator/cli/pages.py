"""The pages of a form from the command line: as JSON, or from named values that go to the page that asks for them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson

from orchestrator.cli.output import print_json
from orchestrator.errors import FormIncompleteError, FormInvalidError, FormOverflowError, InvalidInputError

Pages = list[dict[str, Any]]
Answer = TypeVar("Answer")

_LIMITS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "pattern": "like",
}


def read_input(text: str | None) -> Any:
    """The JSON in `text`, in the file that `@name` names, or on standard input when it is `-`; None without any.

    Raises:
        InvalidInputError: it is no JSON, or the file cannot be read.
    """
    if text is None:
        return None
    try:
        if text == "-":
            content = sys.stdin.buffer.read()
        elif text.startswith("@"):
            content = Path(text[1:]).read_bytes()
        else:
            content = text.encode()
        return orjson.loads(content)
    except OSError as error:
        raise InvalidInputError(f"{text[1:]} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidInputError(f"--input is no JSON: {error}") from error


def read_values(pairs: tuple[str, ...]) -> dict[str, str]:
    """The values of `--set NAME=VALUE`.

    Raises:
        UsageError: one has no name or no value.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set {pair}: NAME=VALUE is needed")
        values[name] = value
    return values


def send(send_pages: Callable[[Any], Answer], pages: Any, values: Mapping[str, str]) -> Answer:
    """Send pages; when the form asks for more, make its further pages of the values and send again.

    A page without a required field that no value was given for is taken as it is.

    Raises:
        FormIncompleteError: a page asks for something that no value was given for.
        InvalidInputError: no page asks for one of the values, or one is none of the choices; nothing has happened then.
    """
    if pages is not None and not values:
        return send_pages(pages)
    filled: Pages = list(pages or [])
    unused = dict(values)
    while True:
        if unused:
            _require_another_page(send_pages, filled, unused)
        try:
            return send_pages(filled)
        except FormIncompleteError as incomplete:
            try:
                filled.append(_page(incomplete, values))
            except FormIncompleteError:
                if strange := [name for name in unused if name not in form_of(incomplete).get("properties", {})]:
                    incomplete.add_note(f"No page up to this one asks for {', '.join(strange)}.")
                raise
            unused = {name: value for name, value in unused.items() if name not in filled[-1]}


def pages_of(
    check_pages: Callable[[Any], object], pages: Any, values: Mapping[str, str]
) -> Iterator[FormIncompleteError]:
    """Each page of a form as it is asked for, up to one that nothing was given for; nothing is sent to stay.

    Args:
        check_pages: fills in the form, and does nothing with it.
        pages: as for `send`.
        values: as for `send`.
    """
    given: Pages = list(pages or [])
    filled: Pages = []
    while True:
        try:
            check_pages(filled)
        except FormIncompleteError as incomplete:
            yield incomplete
            try:
                filled = [*filled, given.pop(0) if given else _page(incomplete, values)]
            except FormIncompleteError:
                return
        else:
            return


def form_of(incomplete: FormIncompleteError) -> dict[str, Any]:
    """The JSON schema of the page that is asked for."""
    schema: Any = incomplete.members["form"]
    return dict(schema)


def fields_of(schema: Mapping[str, Any]) -> list[str]:
    """What a page asks for, a line for each field."""
    lines = []
    for name in schema.get("properties", {}):
        asked = _field(schema, name)
        choices = list(asked.get("options") or asked.get("enum") or [])
        told = [str(asked.get("type", "any"))]
        if choices:
            told = ["one of " + ", ".join(_choice(asked, choice) for choice in choices)]
        elif "const" in asked:
            told = [f"only {orjson.dumps(asked['const']).decode()}"]
        told += [f"{word} {asked[key]}" for key, word in _LIMITS.items() if key in asked]
        if name in schema.get("required", []):
            told.append("required")
        elif "default" in asked:
            told.append(f"{asked['default']!r} if not given")
        lines.append(f"{name}: {'; '.join(told)}")
    return lines


def tell_page(incomplete: FormIncompleteError, as_json: bool) -> None:
    """Say what the page that is asked for has to be filled in with: for people on standard error, or as JSON."""
    if as_json:
        print_json(incomplete.members)
        return
    form = form_of(incomplete)
    click.echo(f"The page {form.get('title', '')!r} is to be filled in:", err=True)
    for line in fields_of(form):
        click.echo(f"  {line}", err=True)
    for note in getattr(incomplete, "__notes__", []):
        click.echo(note, err=True)
    click.echo("Give its fields with --set NAME=VALUE, or all pages with --input.", err=True)


def show_pages(pages: Iterator[FormIncompleteError], as_json: bool) -> None:
    """What pages ask for, on standard output: for people, or as a JSON list."""
    if as_json:
        print_json([page.members for page in pages])
        return
    number = 0
    for number, page in enumerate(pages, start=1):
        click.echo(f"Page {number}, {form_of(page).get('title', '')!r}:")
        for line in fields_of(form_of(page)):
            click.echo(f"  {line}")
    if not number:
        click.echo("It has no form: it starts without being given anything.")


def _require_another_page(send_pages: Callable[[Any], object], filled: Pages, unused: Mapping[str, str]) -> None:
    # A form that is complete with `filled` refuses surplus pages, one that is not refuses these for their field.
    surplus = {"this field is on no page": None}
    try:
        send_pages([*filled, surplus, surplus])
    except FormOverflowError:
        raise InvalidInputError(f"no page of the form asks for {', '.join(unused)}") from None
    except FormInvalidError:
        return


def _page(incomplete: FormIncompleteError, values: Mapping[str, str]) -> dict[str, Any]:
    schema = form_of(incomplete)
    page = {
        name: _converted(name, values[name], _field(schema, name))
        for name in schema.get("properties", {})
        if name in values
    }
    if any(name not in page for name in schema.get("required", [])):
        raise incomplete
    return page


def _converted(name: str, text: str, asked: Mapping[str, Any]) -> Any:
    """A choice by its label or its value, a text as it is, all else as JSON.

    Raises:
        InvalidInputError: it is no product that the page offers.
    """
    options = asked.get("options") or {}
    by_label = {str(label): choice for choice, label in options.items()}
    if text in by_label:
        return by_label[text]
    if asked.get("format") == "productId" and text not in options:
        raise InvalidInputError(f"{name}: {text!r} cannot be chosen; there are {', '.join(map(repr, by_label))}")
    if asked.get("type") == "string" or text in asked.get("enum", []):
        return text
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _choice(asked: Mapping[str, Any], choice: Any) -> str:
    label = (asked.get("options") or {}).get(choice, choice)
    return f"{choice}" if label == choice else f"{label!r} ({choice})"


def _field(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a schema says about a field, with what it refers to."""
    asked: dict[str, Any] = dict(schema["properties"][name])
    for part in [asked, *asked.get("allOf", [])]:
        reference = str(part.get("$ref", ""))
        if reference.startswith("#/$defs/"):
            asked = {**schema["$defs"][reference.removeprefix("#/$defs/")], **asked}
    return asked
