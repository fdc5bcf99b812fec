"""Pages of forms, and the types that form functions are annotated with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic_forms.core import FormPage as _FormPage
from pydantic_forms.types import FormGenerator as _FormGenerator
from pydantic_forms.types import FormMeta

# The library's type leaves the class of the pages open; authors' annotations do not have to name it.
FormGenerator = _FormGenerator[Any]
InputFormGenerator = Callable[..., FormGenerator]


class FormPage(_FormPage):
    """A page that another one follows."""

    meta__: ClassVar[FormMeta | None] = {"hasNext": True}


class SubmitFormPage(_FormPage):
    """The last page of a form."""

    meta__: ClassVar[FormMeta | None] = {"hasNext": False}
