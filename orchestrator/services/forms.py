"""Forms: pages that a client posts as a list, all of them each time, until there is no further page to fill in.

A form is a generator function of pages, a function that returns a page class or a generator, or a page class. Functions
get their arguments from the state by name, as steps do; an argument named `state` sees each page that was filled in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic_forms.core.shared import Complete, NextPage, Rejected, get_form_meta, page_schema
from pydantic_forms.core.sync import walk_form
from pydantic_forms.exceptions import FormOverflowError as TooManyPages

from orchestrator.domain.loading import SubscriptionLoader
from orchestrator.errors import (
    AuthoringError,
    FormFailedError,
    FormIncompleteError,
    FormInvalidError,
    FormOverflowError,
    MalformedPagesError,
    UnstorableInputError,
    UnstorableValueError,
)
from orchestrator.language.arguments import build_arguments
from orchestrator.language.calling import read_result
from orchestrator.language.json_values import to_json
from orchestrator.language.outcomes import Done
from orchestrator.language.vocabulary import State
from orchestrator.services.authors_code import code_of
from orchestrator.storage.database import dump_json

FormPages = Generator[type[BaseModel], BaseModel, Any]
Form = Callable[..., Any] | type[BaseModel]
Pages = list[dict[str, Any]]


def read_pages(body: Any) -> Pages:
    """What a client sent as pages of a form: nothing, or a list of objects.

    Raises:
        MalformedPagesError: it is neither.
        UnstorableInputError: the database cannot hold it.
    """
    if body is None:
        return []
    if not isinstance(body, list):
        raise MalformedPagesError(f"the pages of a form are a list of objects, not {_kind(body)}")
    for number, page in enumerate(body, start=1):
        if not isinstance(page, Mapping):
            raise MalformedPagesError(f"page {number} is {_kind(page)}; each page is an object with the form's fields")
    pages: Pages = storable(body, "the pages")
    return pages


def walk(form: Form | None, state: State, pages: Pages, label: str) -> Done:
    """Fill in a form with the pages that were sent, in a unit of work that can read the database.

    Args:
        form: None has no page; `[]` and one empty page answer it.
        state: what the form's functions get their arguments from; it is not changed.
        pages: from `read_pages`.
        label: what messages call the form.

    Returns:
        What the form returned, as plain JSON values.

    Raises:
        FormIncompleteError: there is another page to fill in.
        FormInvalidError: a page does not fit.
        FormOverflowError: there are more pages than the form has.
        UnstorableInputError: the form returned something that cannot be stored.
        NotFoundError, ConflictError, InvalidInputError, UnavailableError: the form's code said so, or the database.
        FormFailedError: the form's code raised anything else.
    """
    if form is None:
        require_no_input(pages, label)
        return Done()
    for number, page in enumerate(pages, start=1):
        if "self" in page:  # a page is called with its fields as keywords, where this name is taken
            raise _not_permitted("self", page["self"], number)
    with code_of(label, FormFailedError):
        try:
            outcome = walk_form(partial(_filled_in, form, label=label), state, list(pages))
        except TooManyPages:
            raise FormOverflowError(f"{label}: {len(pages)} pages were sent, which is more than the form has") from None
    match outcome:
        case Complete(result):
            return _entered(result, label)
        case NextPage(model):
            raise FormIncompleteError(*_shown(model, label))
        case Rejected(_, index, verdict):
            raise _invalid(list(map(dict, verdict.errors)), index + 1)


def _entered(result: Any, label: str) -> Done:
    with code_of(label, FormFailedError):
        done = read_result(result, label)
    return Done({key: storable(value, key) for key, value in done.delta.items()}, done.removed)


def _shown(page: type[BaseModel], label: str) -> tuple[dict[str, Any], dict[str, Any]]:
    with code_of(label, FormFailedError):
        return page_schema(page), get_form_meta(page)


def first_page(form: Form, state: State, label: str) -> dict[str, Any] | None:
    """The JSON schema of a form's first page, None when it has no page."""
    try:
        walk(form, state, [], label)
    except FormIncompleteError as incomplete:
        schema: dict[str, Any] | None = incomplete.members["form"]
        return schema
    return None


def fill_in(form: Form, state: State, label: str) -> FormPages:
    """The pages of a form as a generator; `state` is the living state, to which each page is added."""
    return _filled_in(form, state, label=label)


def require_no_input(pages: Pages, label: str) -> None:
    """Accept no page or one empty page, where nothing can be entered.

    Raises:
        FormInvalidError: the page has a field.
        FormOverflowError: there is more than one page.
    """
    if len(pages) > 1:
        raise FormOverflowError(f"{label}: {len(pages)} pages were sent, but there is nothing to fill in")
    for page in pages:
        for name, value in page.items():
            raise _not_permitted(name, value, 1)


def storable(value: Any, path: str) -> Any:
    """The value as plain JSON.

    Raises:
        UnstorableInputError: it cannot be stored; the message names the place and the type.
    """
    try:
        return to_json(value, path)
    except UnstorableValueError as error:
        raise UnstorableInputError(str(error)) from None


def require_small(entered: State, most_bytes: int) -> None:
    """Go on only when what was entered can be stored whole; it is JSON already.

    Raises:
        UnstorableInputError: it makes more bytes of JSON.
    """
    if len(dump_json(entered)) > most_bytes:
        raise UnstorableInputError(f"what was entered makes more than {most_bytes} bytes of JSON")


def _filled_in(form: Form, state: State, *, label: str) -> FormPages:
    made: Any = form if _is_page(form) else _call(form, state, label)
    if inspect.isgenerator(made):
        result = yield from made
        return result
    if not _is_page(made):
        raise AuthoringError(f"{label} gave {_kind(made)}: it yields pages, or returns the class of one page")
    answer = yield made
    return answer.model_dump()


def _call(function: Callable[..., Any], state: State, label: str) -> Any:
    arguments = build_arguments(function, state, SubscriptionLoader(), label=label)
    if "state" in arguments:
        arguments["state"] = state
    return function(**arguments)


def _is_page(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _not_permitted(name: str, value: Any, number: int) -> FormInvalidError:
    message = "Extra inputs are not permitted"
    return _invalid([{"type": "extra_forbidden", "loc": (name,), "msg": message, "input": value}], number)


def _invalid(errors: list[dict[str, Any]], number: int) -> FormInvalidError:
    said = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in errors[:5])
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    # Contexts hold exceptions, inputs whatever the page's own validators made of them.
    plain: list[dict[str, object]] = orjson.loads(orjson.dumps(errors, default=str, option=orjson.OPT_NON_STR_KEYS))
    return FormInvalidError(f"page {number} does not fit: {said}{more}", plain, number)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case _:
            return f"a {type(value).__name__}"
