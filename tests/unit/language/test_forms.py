"""Pages of forms, and what an import of the language brings in."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError
from pydantic_forms.core import NextPage, walk_form

from orchestrator.language.forms import FormPage, SubmitFormPage


class First(FormPage):
    name: str


class Last(SubmitFormPage):
    sure: bool = True


def test_a_page_says_whether_another_one_follows():
    assert First.form_meta() == {"hasNext": True}
    assert Last.form_meta() == {"hasNext": False}
    assert "meta__" not in First.model_json_schema()["properties"]


def test_pages_are_walked_and_unknown_fields_refused():
    def form(state):
        first = yield First
        last = yield Last
        return {**first.model_dump(), **last.model_dump()}

    assert walk_form(form, {}, []) == NextPage(First, 0)
    assert walk_form(form, {}, [{"name": "ams"}]) == NextPage(Last, 1)
    assert walk_form(form, {}, [{"name": "ams"}, {}]).state == {"name": "ams", "sure": True}
    with pytest.raises(ValidationError, match="extra_forbidden"):
        First(name="ams", other=1)


def test_the_language_imports_no_framework():
    modules = "steps workflows calling catalog supply transitions"
    program = (
        "import sys\n"
        + "".join(f"import orchestrator.language.{one}\n" for one in modules.split())
        + "print(sorted({one.split('.')[0] for one in sys.modules}"
        "& {'flask', 'celery', 'kombu', 'sqlalchemy', 'psycopg', 'pydantic_forms'}))"
    )
    got = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "[]"
