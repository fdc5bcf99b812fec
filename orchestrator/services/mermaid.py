"""Workflows as Mermaid flowcharts, which Markdown viewers draw."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from orchestrator.services.workflow_outline import Box, DrawnStep, Outline, one_line

_SHAPES: Final = {
    "edge": ("([", "])"),
    "person": ("[/", "/]"),
    "wait": ("{{", "}}"),
    "engine": ("[[", "]]"),
    "function": ("[", "]"),
}
# Entities of Mermaid's own: these characters mean something inside of its quoted texts.
_ENTITIES: Final = str.maketrans({character: f"#{ord(character)};" for character in '#"&<>`%;\\'})


def mermaid_of(outline: Outline) -> str:
    """The source of a flowchart: steps from above to below, groups and conditions as boxes around them."""
    title = f"{outline.name} ({', '.join(outline.marks)})"
    head = ["---", f"title: {_yaml(title)}", "---", "flowchart TD"]
    names: list[str] = []
    body = list(_lines(outline.items, "    ", names))
    edges = [f"    {one} --> {other}" for one, other in pairwise(names)]
    return "\n".join([*head, *body, *edges]) + "\n"


def _lines(items: tuple[DrawnStep | Box, ...], indent: str, names: list[str]) -> Iterator[str]:
    for item in items:
        match item:
            case DrawnStep():
                names.append(f"s{len(names) + 1}")
                before, after = _SHAPES[item.shape]
                text = "<br/>".join(map(_text, [item.name, item.key, *item.marks]))
                yield f'{indent}{names[-1]}{before}"{text}"{after}'
            case Box():
                box = f"b{len(names) + 1}_{len(indent) // 4}"
                yield f'{indent}subgraph {box}["{_text(item.label)}"]'
                yield from _lines(item.items, indent + "    ", names)
                yield f"{indent}end"
                if item.is_condition:
                    yield f"{indent}style {box} stroke-dasharray: 5 5"


def _text(words: str) -> str:
    return one_line(words).translate(_ENTITIES)


def _yaml(words: str) -> str:
    return "'" + one_line(words).replace("'", "''") + "'"
