"""Pages of forms, and the types that form functions are annotated with."""

from __future__ import annotations

from typing import ClassVar

from pydantic_forms.core import FormPage as _FormPage
from pydantic_forms.types import FormGenerator, FormMeta, InputFormGenerator, UUIDstr

__all__ = ["FormGenerator", "FormPage", "InputFormGenerator", "SubmitFormPage", "UUIDstr"]


class FormPage(_FormPage):
    """A page that another one follows."""

    meta__: ClassVar[FormMeta | None] = {"hasNext": True}


class SubmitFormPage(_FormPage):
    """The last page of a form."""

    meta__: ClassVar[FormMeta | None] = {"hasNext": False}
