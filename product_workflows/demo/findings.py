"""What the demo compares, and what of it is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape


class SurpriseError(Exception):
    """Something is not as it should be, and the demo cannot go on."""


@dataclass
class Findings:
    """What was compared, and what of it was not as it should be."""

    console: Console
    compared: int = 0
    surprises: list[str] = field(default_factory=list)

    def compare(self, what: str, wanted: object, found: object) -> None:
        """Note whether something is as it should be."""
        self.compared += 1
        if wanted != found:
            self.surprise(f"{what}: should be {wanted!r}, is {found!r}")

    def surprise(self, text: str) -> None:
        """Note something that should not be there."""
        self.surprises.append(text)
        self.console.print(f"  [red]✗ {escape(text)}")
