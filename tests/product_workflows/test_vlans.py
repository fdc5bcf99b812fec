"""Ranges of VLANs: read, shown, put together, compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from product_workflows.l2vpn.vlans import UNTAGGED, VlanRange, common, merged, read_vlans, show_vlans

ranges = st.tuples(st.integers(2, 4094), st.integers(0, 50)).map(
    lambda pair: VlanRange(first=pair[0], last=min(pair[0] + pair[1], 4094))
)


def numbers(vlans: list[VlanRange]) -> set[int]:
    return {number for one in vlans for number in range(one.first, one.last + 1)}


def test_people_write_ranges_in_any_order() -> None:
    assert show_vlans(read_vlans("200, 105-110,100-104,201")) == "100-110,200-201"
    assert show_vlans(UNTAGGED) == "untagged"


@pytest.mark.parametrize(
    "text", ["", "1", "4095", "0", "10-5", "a", "10-", "-5", "5,,6", "1-2-3", "٣", "10;20", "9" * 5000]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no VLAN|within 2 to 4094"):
        read_vlans(text)


@given(st.lists(ranges, min_size=1))
def test_what_is_shown_can_be_read_again(vlans: list[VlanRange]) -> None:
    assert read_vlans(show_vlans(vlans)) == merged(vlans)
    assert numbers(merged(vlans)) == numbers(vlans)


@given(st.lists(ranges), st.lists(ranges))
def test_what_is_common_is_what_is_in_both(left: list[VlanRange], right: list[VlanRange]) -> None:
    assert numbers(common(left, right)) == numbers(left) & numbers(right)
