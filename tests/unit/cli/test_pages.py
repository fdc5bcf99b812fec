"""Named values find the page that asks for them, and what finds none is told."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.pages import send, tell_page
from orchestrator.errors import FormIncompleteError, FormInvalidError, FormOverflowError, InvalidInputError

PRODUCT = "019a3f60-5c11-7c5e-9d55-0d3c3a2f1b02"
PAGES: list[dict[str, Any]] = [
    {"properties": {"product": {"type": "string", "format": "productId", "options": {PRODUCT: "Fiber"}}}},
    {"title": "For whom?", "properties": {"customer": {"type": "string"}}},
]


def form(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A form of two pages: it returns what was entered."""
    for page, asked in zip(pages, PAGES, strict=False):
        if page.keys() - asked["properties"].keys():
            raise FormInvalidError("it does not fit", [], 1)
    if len(pages) > len(PAGES):
        raise FormOverflowError
    if len(pages) < len(PAGES):
        asked = PAGES[len(pages)]
        raise FormIncompleteError({**asked, "required": list(asked["properties"])}, None)
    return pages


@pytest.mark.parametrize("product", ["Fiber", PRODUCT])
def test_a_product_is_chosen_by_its_name_or_its_id(product: str) -> None:
    assert send(form, None, {"product": product, "customer": "alice"}) == [{"product": PRODUCT}, {"customer": "alice"}]


def test_a_product_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInputError, match="product: 'Fibre' cannot be chosen; there are 'Fiber'"):
        send(form, None, {"product": "Fibre"})


def test_a_misspelt_field_is_told_beside_the_one_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FormIncompleteError) as asked:
        send(form, None, {"product": "Fiber", "custmer": "alice"})
    tell_page(asked.value, as_json=False)
    told = capsys.readouterr().err
    assert "customer: string; required" in told
    assert "No page up to this one asks for custmer." in told
