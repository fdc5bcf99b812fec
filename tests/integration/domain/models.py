"""Ports owned by their own subscriptions, circuits that refer to them, and a block with a value of every type."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Annotated, Literal
from uuid import UUID

from annotated_types import Len
from pydantic import BaseModel, Field, computed_field

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.language.vocabulary import SubscriptionLifecycle


class PortBlockInactive(ProductBlockModel, product_block_name="Port"):
    port_name: str | None = None
    vlans: list[int] = Field(default_factory=list)

    @computed_field
    @property
    def title(self) -> str:
        return f"port {self.port_name}"


class PortBlock(PortBlockInactive, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    port_name: str


class Domain(Enum):
    SURF = "SURF"
    ESNET = "ESNET"


class PortInactive(SubscriptionModel, is_base=True):
    speed: Literal[1000, 10000]
    domain: Domain
    port: PortBlockInactive


class Port(PortInactive, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    speed_class: int
    port: PortBlock


class LoopbackBlock(ProductBlockModel, product_block_name="Loopback"):
    address: IPv4Address | None = None


class EndpointBlock(ProductBlockModel, product_block_name="Endpoint"):
    vlan: int | None = None
    port: PortBlockInactive | LoopbackBlock | None = None
    shared: LoopbackBlock | None = None
    next_one: EndpointBlock | None = None


class CircuitBlock(ProductBlockModel, product_block_name="Circuit"):
    speed: int | None = None
    endpoints: Annotated[list[EndpointBlock], Len(2, 1200)]
    spare: EndpointBlock | None = None
    either: list[PortBlockInactive | LoopbackBlock] = Field(default_factory=list)


class Circuit(SubscriptionModel, is_base=True):
    circuit: CircuitBlock
    backup: CircuitBlock | None = None
    extras: list[LoopbackBlock] = Field(default_factory=list)


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Range(BaseModel):
    start: int
    end: int
    notes: dict[str, str] = Field(default_factory=dict)


class EverythingBlock(ProductBlockModel, product_block_name="Everything"):
    text: str | None = None
    number: int | None = None
    flag: bool | None = None
    ratio: float | None = None
    price: Decimal | None = None
    moment: datetime | None = None
    day: date | None = None
    identifier: UUID | None = None
    colour: Colour | None = None
    level: Level | None = None
    network: IPv4Network | IPv6Network | None = None
    range: Range | None = None
    numbers: list[int] = Field(default_factory=list)
    texts: list[str] = Field(default_factory=list)
    ranges: list[Range] = Field(default_factory=list)
    prices: list[Decimal] = Field(default_factory=list)
    either: int | str | bool | None = None


class Everything(SubscriptionModel, is_base=True):
    everything: EverythingBlock
    more: list[EverythingBlock] = Field(default_factory=list)


MODELS = {"Port": Port, "Circuit": Circuit, "Everything": Everything}


def new_circuit(products: dict[str, UUID]) -> Circuit:
    """A circuit in sync with the blocks that it must have, not saved yet."""
    return Circuit.from_product_id(products["Circuit"], "customer", insync=True)
