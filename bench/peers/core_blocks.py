"""Creates, loads and saves a subscription of orchestrator-core, as `blocks_ours.py` does ours, with the same tree.

`core_blocks.py migrate` makes the product; else an order is a number of interfaces and of runs.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID, uuid4

from core_program import build_application
from orchestrator.core.db import ProductTable, db
from orchestrator.core.db.database import transactional
from orchestrator.core.domain import SUBSCRIPTION_MODEL_REGISTRY
from orchestrator.core.domain.base import ProductBlockModel, SubscriptionModel
from orchestrator.core.migrations.helpers import create
from orders import obey
from sqlalchemy import select, text
from structlog import get_logger

logger = get_logger(__name__)
PRODUCT = "Bench Site"


def _block(description: str, *resource_types: str, depends_on: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        "product_block_id": str(uuid4()),
        "description": description,
        "tag": "BENCH",
        "status": "active",
        "resources": {name: name for name in resource_types},
        "depends_on_block_relations": list(depends_on),
    }


CATALOG = {
    "products": {
        PRODUCT: {
            "product_id": str(uuid4()),
            "product_type": "Bench",
            "description": "Site with interfaces",
            "tag": "BENCH",
            "status": "active",
            "product_blocks": ["Bench Site Block"],
            "fixed_inputs": {},
        }
    },
    "product_blocks": {
        "Bench Address": _block("Address", "prefix", "family", "gateway"),
        "Bench Interface": _block(
            "Interface", "interface_name", "vlan", "speed", "is_enabled", depends_on=("Bench Address",)
        ),
        "Bench Site Block": _block("Site", "site_name", depends_on=("Bench Interface",)),
    },
}


class AddressBlock(ProductBlockModel, product_block_name="Bench Address"):
    prefix: str
    family: int
    gateway: str | None = None


class InterfaceBlock(ProductBlockModel, product_block_name="Bench Interface"):
    interface_name: str
    vlan: int
    speed: int
    is_enabled: bool
    addresses: list[AddressBlock]


class SiteBlock(ProductBlockModel, product_block_name="Bench Site Block"):
    site_name: str
    interfaces: list[InterfaceBlock]


class Site(SubscriptionModel, is_base=True):
    site: SiteBlock | None = None


SUBSCRIPTION_MODEL_REGISTRY[PRODUCT] = Site


def measure(interfaces: int, runs: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        subscription_id, took = _create(interfaces)
        seconds["create"].append(took)
        seconds["load"].append(_load(subscription_id))
        for what, change in CHANGES.items():
            seconds[what].append(_save(subscription_id, change))
    return seconds


def _create(interfaces: int) -> tuple[UUID, float]:
    with db.database_scope():
        product_id = db.session.scalars(select(ProductTable.product_id).where(ProductTable.name == PRODUCT)).one()
        began = time.perf_counter()
        with transactional(db, logger):
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


def _load(subscription_id: UUID) -> float:
    with db.database_scope():
        db.session.execute(text("SELECT 1"))
        began = time.perf_counter()
        model = Site.from_subscription(subscription_id)
        took = time.perf_counter() - began
        assert model.site is not None
        return took


def _save(subscription_id: UUID, change: Callable[[SiteBlock], None]) -> float:
    with db.database_scope():
        with transactional(db, logger):
            model = Site.from_subscription(subscription_id)
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


if __name__ == "__main__":
    build_application()
    if sys.argv[1:] == ["migrate"]:
        with db.database_scope(), transactional(db, logger):
            create(db.session.connection(), CATALOG)
    else:
        obey(measure)
