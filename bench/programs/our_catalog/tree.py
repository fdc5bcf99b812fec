"""A subscription of any number of blocks, two levels below its root: a site, its interfaces, two addresses of each."""

from __future__ import annotations

from orchestrator import ProductBlockModel, SubscriptionModel

PRODUCT = "Bench Site"

CATALOG = {
    "resource_types": {
        "prefix": "Addresses",
        "family": "4 or 6",
        "gateway": "Who leads out of it",
        "interface_name": "Name on the device",
        "vlan": "Its VLAN",
        "speed": "In Mbit/s",
        "is_enabled": "Whether it is up",
        "site_name": "Name of the place",
    },
    "product_blocks": {
        "Bench Address": {"description": "", "tag": "BENCH", "resource_types": ["prefix", "family", "gateway"]},
        "Bench Interface": {
            "description": "",
            "tag": "BENCH",
            "resource_types": ["interface_name", "vlan", "speed", "is_enabled"],
            "depends_on": ["Bench Address"],
        },
        "Bench Site Block": {
            "description": "",
            "tag": "BENCH",
            "resource_types": ["site_name"],
            "depends_on": ["Bench Interface"],
        },
    },
    "products": {
        PRODUCT: {
            "product_type": "Bench",
            "tag": "BENCH",
            "description": "Site with interfaces",
            "product_blocks": ["Bench Site Block", "Bench Interface", "Bench Address"],
        }
    },
}


class AddressBlock(ProductBlockModel, product_block_name="Bench Address"):
    """What an interface has two of."""

    prefix: str
    family: int
    gateway: str | None = None


class InterfaceBlock(ProductBlockModel, product_block_name="Bench Interface"):
    """What a site has many of."""

    interface_name: str
    vlan: int
    speed: int
    is_enabled: bool
    addresses: list[AddressBlock]


class SiteBlock(ProductBlockModel, product_block_name="Bench Site Block"):
    """The root."""

    site_name: str
    interfaces: list[InterfaceBlock]


class Site(SubscriptionModel, is_base=True):
    """The subscription."""

    site: SiteBlock | None = None
