"""`orchestrator subscription`: look at subscriptions, and set one in sync."""

from __future__ import annotations

from uuid import UUID

import click

from orchestrator.cli.list_options import list_options, list_query, print_page, status_option
from orchestrator.cli.output import json_option, local_time, print_json
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context, operating_system_user
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.services.subscription_views import (
    SubscriptionEntry,
    ValueChange,
    list_subscriptions,
    subscription_changes,
    subscription_model,
)
from orchestrator.services.subscriptions import set_in_sync as put_in_sync


@click.group
def subscription() -> None:
    """Look at subscriptions, and set one in sync."""


@subscription.command("list")
@status_option(SubscriptionLifecycle)
@click.option("--product", help="Of products whose name has this in it.")
@list_options
@json_option
@click.pass_obj
def list_(
    load_tools: LoadTools,
    status: str | None,
    product: str | None,
    filters: str,
    sort: str,
    page: int,
    page_size: int,
    as_json: bool,
) -> None:
    """List subscriptions, the newest first."""
    query = list_query(filters, sort, page, page_size, status=status, product=product)
    with opened_context(load_tools) as context:
        found = list_subscriptions(context, query)
    print_page(found, as_json, ("subscription", "status", "in sync", "product", "customer", "description"), _row)


def _row(entry: SubscriptionEntry) -> tuple[object, ...]:
    in_sync = "yes" if entry.insync else "no"
    return entry.subscription_id, entry.status, in_sync, entry.product.name, entry.customer_id, entry.description


@subscription.command
@click.argument("subscription_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="It is JSON in any case.")
@click.pass_obj
def show(load_tools: LoadTools, subscription_id: UUID, as_json: bool) -> None:  # noqa: ARG001
    """Show a subscription with all its blocks, as JSON."""
    with opened_context(load_tools) as context:
        print_json(subscription_model(context, subscription_id))


@subscription.command
@click.argument("subscription_id", type=click.UUID)
@list_options
@json_option
@click.pass_obj
def history(
    load_tools: LoadTools, subscription_id: UUID, filters: str, sort: str, page: int, page_size: int, as_json: bool
) -> None:
    """List what changed in a subscription: the latest first, with the process and step that did it."""
    query = list_query(filters, sort, page, page_size)
    with opened_context(load_tools) as context:
        found = subscription_changes(context, subscription_id, query)
    print_page(found, as_json, ("at", "value", "before", "after", "step", "process", "by"), _change)


def _change(change: ValueChange) -> tuple[object, ...]:
    at = local_time(change.changed_at)
    return at, change.path, change.before, change.after, change.step_key, change.process_id, change.changed_by


@subscription.command
@click.argument("subscription_id", type=click.UUID)
@click.option("--reason", help="Why; it is kept in the audit.")
@json_option
@click.pass_obj
def set_in_sync(load_tools: LoadTools, subscription_id: UUID, reason: str | None, as_json: bool) -> None:
    """Say that a subscription is in sync although no process did. Refused while a process on it has not ended."""
    with opened_context(load_tools) as context:
        did = put_in_sync(context, operating_system_user(), subscription_id, reason=reason)
    if as_json:
        print_json({"subscription_id": subscription_id, "insync": True})
    else:
        click.echo(f"{'Set in sync' if did else 'It was in sync already:'} {subscription_id}")
