"""`orchestrator workflow`: look at workflows."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TextIO

import click

from orchestrator.cli.list_options import list_options, list_query, print_page
from orchestrator.cli.output import json_option, print_json, print_table
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context
from orchestrator.errors import UnknownWorkflowError
from orchestrator.services.catalog_views import WorkflowView
from orchestrator.services.context import Context
from orchestrator.services.list_queries import MAX_PAGE_SIZE, Condition, ListQuery, NumberedPage
from orchestrator.services.mermaid import mermaid_of
from orchestrator.services.svg import svg_of
from orchestrator.services.workflow_outline import outline_of
from orchestrator.services.workflows import list_workflows, workflow_detail
from orchestrator.settings import read_settings


@click.group
def workflow() -> None:
    """Look at workflows."""


@workflow.command("list")
@click.option("--target", help="CREATE, MODIFY, TERMINATE, SYSTEM, VALIDATE or RECONCILE.")
@list_options
@json_option
@click.pass_obj
def list_(
    load_tools: LoadTools, target: str | None, filters: str, sort: str, page: int, page_size: int, as_json: bool
) -> None:
    """List workflows by name."""
    query = list_query(filters, sort, page, page_size, target=target)
    with opened_context(load_tools) as context:
        found = list_workflows(context, query)
        code = set(context.catalog.workflows)

    def row(one: WorkflowView) -> tuple[object, ...]:
        return (
            one.name,
            one.target,
            "yes" if one.is_task else "no",
            "yes" if one.name in code else "no",
            one.description,
        )

    print_page(found, as_json, ("workflow", "target", "task", "has code", "description"), row)


@workflow.command
@click.argument("name")
@json_option
@click.pass_obj
def show(load_tools: LoadTools, name: str, as_json: bool) -> None:
    """Show a workflow with its steps."""
    with opened_context(load_tools) as context:
        found = _by_name(context, name)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found.name}, {found.target}: {found.description}")
    if found.steps is None:
        click.echo("Its code is not in ORCHESTRATOR_CATALOG here.")
    else:
        rows = [(step.key, step.name, step.kind, step.assignee) for step in found.steps]
        print_table(("key", "step", "kind", "assignee"), rows)


@workflow.command
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["mermaid", "svg"]), help="Mermaid, unless --output ends in .svg.")
@click.option("--output", type=click.File("w", encoding="utf-8", atomic=True), default="-", help="Into this file.")
@click.pass_obj
def graph(load_tools: LoadTools, name: str, form: str | None, output: TextIO) -> None:
    """Draw the steps of a workflow, as the code has it: no database is asked."""
    workflows = load_tools().load_catalog(read_settings()).workflows
    if name not in workflows:
        near = get_close_matches(name, workflows, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(workflows)) or 'none'}."
        raise UnknownWorkflowError(f"There is no workflow {name!r} in ORCHESTRATOR_CATALOG; {hint}")
    outline = outline_of(workflows[name])
    draw = svg_of if form == "svg" or (form is None and output.name.endswith(".svg")) else mermaid_of
    output.write(draw(outline))


def _by_name(context: Context, name: str) -> WorkflowView:
    query = ListQuery((Condition("name", name),), part=NumberedPage(1, MAX_PAGE_SIZE))
    for one in list_workflows(context, query).items:
        if one.name == name:
            return workflow_detail(context, one.workflow_id)
    raise UnknownWorkflowError(f"There is no workflow {name!r}; `orchestrator workflow list` shows those that are.")
