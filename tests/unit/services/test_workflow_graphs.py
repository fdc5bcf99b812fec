"""Pictures of workflows: what is drawn, as Mermaid and as SVG."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.language.actions import Retry
from orchestrator.language.callbacks import callback_step
from orchestrator.language.step_list import Step, StepList
from orchestrator.language.steps import conditional, done, focussteps, init, inputstep, set_status, step, step_group
from orchestrator.language.timers import sleep_for
from orchestrator.language.vocabulary import State, Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.services.mermaid import mermaid_of
from orchestrator.services.svg import svg_of
from orchestrator.services.workflow_outline import Box, DrawnStep, Outline, outline_of

SVG = "{http://www.w3.org/2000/svg}"


def has_ipv6(state: State) -> bool:
    return bool(state)


def named(name: str, key: str | None = None, **options: Any) -> Step:
    @step(name, key=key or name, **options)
    def nothing() -> None:
        """Does nothing."""

    return nothing


@step("Ask outside")
def ask(callback_route: str) -> None:
    """Asks."""


@inputstep("Agree", assignee="NOC")
def agree() -> Any:
    """Asks somebody."""


def of(*steps: Step | StepList, **options: Any) -> Workflow:
    def flow() -> StepList:
        made: StepList = StepList()
        for one in steps:
            made = made >> one
        return made

    return workflow("Drawn", **options)(flow)


def tree(items: tuple[DrawnStep | Box, ...]) -> list[Any]:
    """Keys of steps, and a pair of label and content for each box."""
    return [item.key if isinstance(item, DrawnStep) else (item.label, tree(item.items)) for item in items]


def marks(outline: Outline, key: str) -> tuple[str, ...]:
    def steps(items: tuple[DrawnStep | Box, ...]) -> list[DrawnStep]:
        return [one for item in items for one in ([item] if isinstance(item, DrawnStep) else steps(item.items))]

    return next(one.marks for one in steps(outline.items) if one.key == key)


@pytest.fixture
def everything() -> Workflow:
    inner = conditional(has_ipv6)(
        named("a") >> step_group("Inner", named("b") >> conditional(lambda _: True)(named("c")))
    )
    return of(
        init,
        step_group("Outer", inner >> agree),
        callback_step("Order", ask, named("d", retry=Retry(attempts=5, wait=90), time_limit=30), timeout=600),
        sleep_for(3600),
        conditional(has_ipv6)(focussteps("part")(named("e"))),
        set_status("active"),
        done,
        target=Target.MODIFY,
        time_limit=86_400,
        initial_input_form=agree.function,
    )


def test_groups_and_conditions_are_boxes_in_boxes(everything: Workflow) -> None:
    assert tree(outline_of(everything).items) == [
        "start",
        (
            "Outer",
            [
                ("only if has_ipv6", ["a", ("Inner", ["b", ("only if a condition holds", ["c"])])]),
                "outer.agree",
            ],
        ),
        ("Order", ["order.ask", "order.await_callback", "d"]),
        "sleep_for",
        ("only if has_ipv6", ["e"]),
        "set_status_active",
        "done",
    ]


def test_what_makes_a_step_special_is_marked_on_it(everything: Workflow) -> None:
    outline = outline_of(everything)
    assert outline.marks == ("MODIFY", "starts with a form", "at most 1 d")
    assert marks(outline, "outer.agree") == ("asks NOC",)
    assert marks(outline, "order.await_callback") == ("waits for a callback, at most 10 min",)
    assert marks(outline, "d") == ("tried up to 5 times, the first pause 90 s", "at most 30 s")
    assert marks(outline, "e") == ("on 'part' of the state",)
    assert marks(outline, "start") == ()


def test_a_condition_around_a_part_of_a_group_and_more_cuts_no_group_in_two() -> None:
    """The condition begins before the group and ends in its middle."""
    condition = conditional(has_ipv6)
    group = step_group("Group", condition(named("b")) >> named("c"))
    outline = outline_of(of(condition(named("a")), group, named("d")))
    assert tree(outline.items) == [
        ("only if has_ipv6", ["a"]),
        ("Group", [("only if has_ipv6", ["b"]), "c"]),
        "d",
    ]
    around = condition(named("a") >> step_group("Group", named("b") >> named("c")) >> named("d"))
    assert tree(outline_of(of(around)).items) == [("only if has_ipv6", ["a", ("Group", ["b", "c"]), "d"])]


def test_mermaid_has_each_step_in_its_shape_and_an_arrow_from_each_to_the_next(everything: Workflow) -> None:
    source = mermaid_of(outline_of(everything))
    assert source.startswith("---\ntitle: 'flow (MODIFY, starts with a form, at most 1 d)'\n---\nflowchart TD\n")
    for shown in (
        's1(["Start<br/>start"])',
        'subgraph b2_1["Outer"]',
        's5[/"Agree<br/>outer.agree<br/>asks NOC"/]',
        's7{{"Await callback<br/>order.await_callback<br/>waits for a callback, at most 10 min"}}',
        """s11[["Set subscription to 'active'<br/>set_status_active"]]""",
    ):
        assert shown in source
    assert re.findall(r"(s\d+) --> (s\d+)", source) == [(f"s{n}", f"s{n + 1}") for n in range(1, 12)]
    assert source.count("subgraph") == len(re.findall(r"^ +end$", source, re.MULTILINE)) == 6


def texts_of(picture: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_svg_has_each_step_below_the_one_before_it_and_all_of_it_inside_of_the_picture(everything: Workflow) -> None:
    root = ElementTree.fromstring(svg_of(outline_of(everything)))
    steps = [one for one in root.iter(f"{SVG}g") if "data-step" in one.attrib]
    assert [one.get("data-step") for one in steps] == list(everything.keys)

    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    lines = [one for one in root.iter(f"{SVG}line") if "marker-end" in one.attrib]
    assert len(lines) == len(steps) - 1
    ends = [(float(one.attrib["y1"]), float(one.attrib["y2"])) for one in lines]
    assert all(above < below for above, below in ends)
    assert ends == sorted(ends)
    for one in root.iter():
        for name, most in (("x", width), ("y", height), ("x1", width), ("y2", height)):
            assert 0 <= float(one.get(name, "0")) <= most
        frame = [float(one.get(name, "0").rstrip("%")) for name in ("x", "y", "width", "height")]
        if one.tag == f"{SVG}rect" and "x" in one.attrib:
            assert frame[0] + frame[2] <= width
            assert frame[1] + frame[3] <= height


words = st.text(st.characters(exclude_categories=()), min_size=1, max_size=200).filter(str.split)


@given(name=words, group=words)
def test_any_name_makes_a_picture_that_can_be_read(name: str, group: str) -> None:
    drawn = DrawnStep(name, "key", "function", (name,))
    outline = Outline(name, group, (), (Box(group, False, (drawn,)),))

    picture = texts_of(svg_of(outline))
    shown = "".join(
        "\ufffd" if unicodedata.category(one) in {"Cc", "Cs"} or one in "\ufffe\uffff" else one
        for one in " ".join(name.split())
    )
    assert "".join(shown.split()) in "".join("".join(picture).split())

    title, *source = mermaid_of(outline).split("\n")[1:]
    assert title.startswith("title: '")
    node = next(line for line in source if line.strip().startswith("s1"))
    text = re.fullmatch(r' +s1\["([^"]*)"\]', node)
    assert text is not None, node
    for part in text[1].split("<br/>"):
        assert not set('"<>`%&\\') & set(part)
    decoded = html.unescape(re.sub(r"#(\d+);", r"&#\1;", text[1].split("<br/>")[0]))
    assert decoded == shown
    for line in (title, *source):
        assert not {unicodedata.category(one) for one in line} & {"Cc", "Cs"}, repr(line)
