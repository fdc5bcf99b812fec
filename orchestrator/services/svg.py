"""Workflows as SVG pictures, laid out here: steps are a list, so that all of them stand below each other."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from orchestrator.services.workflow_outline import Box, DrawnStep, Outline, Shape, one_line

_LONGEST_LINE: Final = 56
_MARGIN, _GAP, _PADDING, _SLANT = 24.0, 26.0, 16.0, 14.0
_FILLS: Final[dict[Shape, str]] = {
    "edge": "#e2e8f0",
    "person": "#fde68a",
    "wait": "#ddd6fe",
    "engine": "#f1f5f9",
    "function": "#ffffff",
}
_INK, _QUIET = "#0f172a", "#475569"
_SANS, _MONO = "Helvetica, Arial, sans-serif", "Menlo, Consolas, monospace"


@dataclass(frozen=True)
class _Line:
    """One line of text: its size in pixels, and how it is set."""

    text: str
    size: float
    font: str = _SANS
    color: str = _QUIET
    weight: str = "normal"

    @property
    def width(self) -> float:
        wide = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in self.text)
        return wide * self.size * 0.6

    @property
    def height(self) -> float:
        return self.size * 1.4


@dataclass(frozen=True)
class _Placed:
    """A step or a box with its lines and its size; `inner` is what stands in a box, from above to below."""

    item: DrawnStep | Box
    lines: tuple[_Line, ...]
    width: float
    height: float
    inner: tuple[_Placed, ...] = ()


def svg_of(outline: Outline) -> str:
    """A picture of the workflow: a whole document."""
    title = _lines_of(outline.name, 18, color=_INK, weight="bold")
    title += _lines_of(outline.description, 13) + _lines_of(", ".join(outline.marks), 12)
    placed = [_place(item) for item in outline.items]
    width = max([line.width for line in title] + [one.width for one in placed]) + 2 * _MARGIN
    top = _MARGIN + sum(line.height for line in title) + _PADDING
    height = top + _stacked(placed) + _MARGIN
    size = {"width": f"{width:.0f}", "height": f"{height:.0f}", "viewBox": f"0 0 {width:.0f} {height:.0f}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    SubElement(root, "title").text = one_line(outline.name)
    arrow = SubElement(
        SubElement(root, "defs"),
        "marker",
        {"id": "arrow", "viewBox": "0 0 10 10", "refX": "9", "refY": "5", "markerWidth": "7", "markerHeight": "7"},
    )
    arrow.set("orient", "auto")
    SubElement(arrow, "path", {"d": "M 0 0 L 10 5 L 0 10 z", "fill": _QUIET})
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    _write(root, title, width / 2, _MARGIN)
    edges: list[tuple[float, float]] = []
    _draw_all(root, placed, width / 2, top, edges)
    for (_, bottom), (above, _) in pairwise(edges):
        ends = {"x1": _px(width / 2), "y1": _px(bottom), "x2": _px(width / 2), "y2": _px(above)}
        SubElement(root, "line", {**ends, "stroke": _QUIET, "stroke-width": "1.5", "marker-end": "url(#arrow)"})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _place(item: DrawnStep | Box) -> _Placed:
    match item:
        case DrawnStep():
            lines = _lines_of(item.name, 14, color=_INK, weight="bold") + _lines_of(item.key, 11, font=_MONO)
            lines += [line for mark in item.marks for line in _lines_of(mark, 12)]
            width = max(max(line.width for line in lines) + 2 * _PADDING + 2 * _SLANT, 180.0)
            return _Placed(item, tuple(lines), width, sum(line.height for line in lines) + _PADDING)
        case Box():
            lines = _lines_of(item.label, 12, color=_INK)
            inner = tuple(_place(one) for one in item.items)
            width = max([line.width for line in lines] + [one.width for one in inner]) + 2 * _PADDING
            head = sum(line.height for line in lines) + _PADDING / 2
            return _Placed(item, tuple(lines), width, head + _GAP + _stacked(inner) + _PADDING, inner)


def _stacked(placed: Sequence[_Placed]) -> float:
    return sum(one.height for one in placed) + _GAP * max(len(placed) - 1, 0)


def _draw_all(
    root: Element, placed: Sequence[_Placed], middle: float, top: float, edges: list[tuple[float, float]]
) -> None:
    for one in placed:
        _draw(root, one, middle, top, edges)
        top += one.height + _GAP


def _draw(root: Element, placed: _Placed, middle: float, top: float, edges: list[tuple[float, float]]) -> None:
    left = middle - placed.width / 2
    match placed.item:
        case DrawnStep(shape=shape, key=key):
            group = SubElement(root, "g", {"data-step": one_line(key)})
            _draw_shape(group, shape, left, top, placed.width, placed.height)
            _write(group, placed.lines, middle, top + _PADDING / 2)
            edges.append((top, top + placed.height))
        case Box(is_condition=is_condition):
            frame = {"x": _px(left), "y": _px(top), "width": _px(placed.width), "height": _px(placed.height), "rx": "6"}
            look = {"fill": "none" if is_condition else "#f8fafc", "stroke": _QUIET}
            group = SubElement(root, "g")
            SubElement(group, "rect", {**frame, **look, **({"stroke-dasharray": "6 4"} if is_condition else {})})
            _write(group, placed.lines, left + _PADDING, top + _PADDING / 2, anchor="start")
            head = sum(line.height for line in placed.lines) + _PADDING / 2
            _draw_all(root, placed.inner, middle, top + head + _GAP, edges)


def _draw_shape(group: Element, shape: Shape, left: float, top: float, width: float, height: float) -> None:
    right, bottom, slant = left + width, top + height, _SLANT
    look = {"fill": _FILLS[shape], "stroke": _INK, "stroke-width": "1.2"}
    frame = {"x": _px(left), "y": _px(top), "width": _px(width), "height": _px(height)}
    match shape:
        case "edge":
            SubElement(group, "rect", {**frame, **look, "rx": _px(height / 2)})
        case "function":
            SubElement(group, "rect", {**frame, **look, "rx": "4"})
        case "engine":
            SubElement(group, "rect", {**frame, **look})
            for x in (left + 6, right - 6):
                SubElement(group, "line", {"x1": _px(x), "x2": _px(x), "y1": _px(top), "y2": _px(bottom), **look})
        case "person":
            corners = [(left + slant, top), (right, top), (right - slant, bottom), (left, bottom)]
            SubElement(group, "polygon", {"points": _points(corners), **look})
        case "wait":
            half = (top + bottom) / 2
            corners = [(left + slant, top), (right - slant, top), (right, half)]
            corners += [(right - slant, bottom), (left + slant, bottom), (left, half)]
            SubElement(group, "polygon", {"points": _points(corners), **look})


def _write(parent: Element, lines: Sequence[_Line], x: float, top: float, anchor: str = "middle") -> None:
    for line in lines:
        look = {"font-family": line.font, "font-size": f"{line.size:g}", "fill": line.color, "font-weight": line.weight}
        place = {"x": _px(x), "y": _px(top + line.size * 1.1), "text-anchor": anchor}
        SubElement(parent, "text", {**place, **look}).text = line.text
        top += line.height


def _lines_of(text: str, size: float, *, font: str = _SANS, color: str = _QUIET, weight: str = "normal") -> list[_Line]:
    return [_Line(line, size, font, color, weight) for line in textwrap.wrap(one_line(text), _LONGEST_LINE)]


def _points(corners: list[tuple[float, float]]) -> str:
    return " ".join(f"{_px(x)},{_px(y)}" for x, y in corners)


def _px(value: float) -> str:
    return f"{value:.1f}"
