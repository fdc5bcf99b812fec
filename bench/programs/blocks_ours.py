"""Creates, loads and saves a subscription; an order is a number of interfaces and of runs.

The answer is seconds of each run by what was done. Those of a save end with its commit; those of a load have nothing to
do with connecting. `core_blocks.py` does the same.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select, text

from bench.peers.orders import obey
from bench.programs.our_catalog.tree import PRODUCT, AddressBlock, InterfaceBlock, Site, SiteBlock
from orchestrator.bootstrap.context import build_context
from orchestrator.services.context import Context
from orchestrator.settings import read_settings
from orchestrator.storage.tables import ProductTable


def main() -> None:
    """Take orders."""
    context = build_context(read_settings(), "bench")
    obey(lambda interfaces, runs: measure(context, interfaces, runs))


def measure(context: Context, interfaces: int, runs: int) -> dict[str, list[float]]:
    """One subscription for each run."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        subscription_id, took = _create(context, interfaces)
        seconds["create"].append(took)
        seconds["load"].append(_load(context, subscription_id))
        for what, change in CHANGES.items():
            seconds[what].append(_save(context, subscription_id, change))
    return seconds


def _create(context: Context, interfaces: int) -> tuple[UUID, float]:
    with context.database.transaction("bench") as session:
        product_id = session.execute(select(ProductTable.product_id).where(ProductTable.name == PRODUCT)).scalar_one()
        began = time.perf_counter()
        model = Site.from_product_id(product_id, "bench")
        owner = model.subscription_id
        model.site = SiteBlock.new(
            owner,
            site_name="somewhere",
            interfaces=[
                InterfaceBlock.new(
                    owner,
                    interface_name=f"ge-0/0/{number}",
                    vlan=number + 1,
                    speed=10_000,
                    is_enabled=True,
                    addresses=[
                        AddressBlock.new(owner, prefix=f"10.{number}.{part}.0/24", family=4) for part in range(2)
                    ],
                )
                for number in range(interfaces)
            ],
        )
        model.save()
    return owner, time.perf_counter() - began


def _load(context: Context, subscription_id: UUID) -> float:
    with context.database.reading() as session:
        session.execute(text("SELECT 1"))
        began = time.perf_counter()
        model = Site.from_subscription(subscription_id)
        took = time.perf_counter() - began
    assert model.site is not None
    return took


def _save(context: Context, subscription_id: UUID, change: Callable[[SiteBlock], None]) -> float:
    with context.database.transaction("bench"):
        model = Site.from_subscription(subscription_id)
        assert model.site is not None
        change(model.site)
        began = time.perf_counter()
        model.save()
    return time.perf_counter() - began


def _one_value(site: SiteBlock) -> None:
    site.interfaces[0].vlan += 1


def _value_of_each(site: SiteBlock) -> None:
    site.site_name += "!"
    for interface in site.interfaces:
        interface.vlan += 1
        for address in interface.addresses:
            address.gateway = f"{address.prefix}!"


CHANGES: dict[str, Callable[[SiteBlock], None]] = {
    "save nothing changed": lambda _: None,
    "save one value changed": _one_value,
    "save a value of each block changed": _value_of_each,
}


main()
