"""What only a person can say about a revision of the catalog: by options, or asked for at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

import click

from orchestrator.services.catalog_questions import Answer, DefaultQuestion, GoneQuestion

_OPTIONS: Final = {
    "rename_product": ("OLD=NEW", "A product has another name now."),
    "rename_block": ("OLD=NEW", "A product block has another name now."),
    "rename_workflow": ("OLD=NEW", "A workflow has another name now."),
    "rename_resource_type": ("BLOCK.OLD=NEW", "A value of a block has another name now."),
    "rename_fixed_input": ("PRODUCT.OLD=NEW", "A fixed input has another name now."),
    "remove_resource_type": ("BLOCK.NAME", "Values may be taken from subscriptions; going down gives them back."),
    "remove_workflow": ("NAME", "A workflow may go, although it has unfinished processes or schedules."),
    "default": ("BLOCK.NAME=JSON", "What live subscriptions get that lack a value."),
}


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that writes a revision of the catalog, named as the fields of `Choices`."""
    for name, (metavar, told) in reversed(_OPTIONS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, multiple=True, metavar=metavar, help=told)(command)
    return command


def ask_at_terminal(question: GoneQuestion | DefaultQuestion) -> Answer:
    """Ask, on standard error, and give the answer."""
    click.echo(question.says, err=True)
    match question:
        case GoneQuestion(_, answers):
            for number, answer in enumerate(answers, 1):
                click.echo(f"  {number}: {answer.says}", err=True)
            chosen = click.prompt("Which one", type=click.IntRange(1, len(answers)), err=True)
            return answers[chosen - 1]
        case DefaultQuestion():
            return question.answer(click.prompt("Which value, as JSON", err=True))
        case _:
            assert_never(question)
