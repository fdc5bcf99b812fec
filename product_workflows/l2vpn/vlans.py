"""Ranges of VLANs: what people write, such as `100-110,200`, and what blocks hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

SMALLEST: Final = 2
LARGEST: Final = 4094
_WRITTEN: Final = re.compile("(?P<first>[0-9]{1,4})(-(?P<last>[0-9]{1,4}))?")


class VlanRange(BaseModel):
    """The VLANs from the first to the last. 0 alone stands for frames without a VLAN."""

    model_config = ConfigDict(frozen=True)

    first: int = Field(ge=0, le=LARGEST)
    last: int = Field(ge=0, le=LARGEST)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"{self.first}-{self.last} ends before it begins")
        return self


UNTAGGED: Final = [VlanRange(first=0, last=0)]
STORED: Final = TypeAdapter(list[VlanRange])


def read_vlans(text: str) -> list[VlanRange]:
    """The ranges in a text, in order and none overlapping another.

    Raises:
        ValueError: it is empty, is not written like `100-110,200`, or leaves 2 to 4094.
    """
    found = []
    for part in text.replace(" ", "").split(","):
        written = _WRITTEN.fullmatch(part)
        if written is None:
            raise ValueError(f"{part[:20]!r} is no VLAN and no range of VLANs; write for example 100-110,200")
        low = int(written["first"])
        high = int(written["last"] or low)
        if not SMALLEST <= low <= high <= LARGEST:
            raise ValueError(f"{part} is not within {SMALLEST} to {LARGEST}, from a smaller number to a larger one")
        found.append(VlanRange(first=low, last=high))
    return merged(found)


def show_vlans(vlans: Iterable[VlanRange]) -> str:
    """The ranges as people write them."""
    shown = [f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}" for one in vlans]
    return "untagged" if shown == ["0"] else ",".join(shown)


def merged(vlans: Iterable[VlanRange]) -> list[VlanRange]:
    """The same VLANs in as few ranges as possible, in order."""
    result: list[VlanRange] = []
    for one in sorted(vlans, key=lambda vlan: (vlan.first, vlan.last)):
        if result and one.first <= result[-1].last + 1:
            result[-1] = VlanRange(first=result[-1].first, last=max(result[-1].last, one.last))
        else:
            result.append(one)
    return result


def common(left: Iterable[VlanRange], right: Iterable[VlanRange]) -> list[VlanRange]:
    """The VLANs that are in both."""
    others = list(right)
    both = [(max(one.first, other.first), min(one.last, other.last)) for one in left for other in others]
    return merged(VlanRange(first=first, last=last) for first, last in both if first <= last)


# VLANs as a person enters them, put in order.
VlanText = Annotated[str, AfterValidator(lambda text: show_vlans(read_vlans(text)))]
