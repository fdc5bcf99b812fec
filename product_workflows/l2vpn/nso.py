"""NSO, the controller: circuits between ports."""

from __future__ import annotations

from typing import Any, Final

import httpx
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from product_workflows.l2vpn.models import CircuitBlockProvisioning
from product_workflows.l2vpn.vlans import VlanRange
from product_workflows.outside import OutsideRefusedError, call
from product_workflows.port.models import PortBlockProvisioning
from product_workflows.port.settings_in_nso import device_of


class Endpoint(TypedDict):
    """One end of a circuit. `vlans` are pairs of first and last."""

    device: str
    port: str
    vlans: list[tuple[int, int]]


class Circuit(TypedDict):
    """A circuit as NSO describes it."""

    name: str
    bandwidth: int
    endpoints: list[Endpoint]


_CIRCUIT: Final = TypeAdapter(Circuit)


def endpoint_of(port: PortBlockProvisioning, vlans: list[VlanRange]) -> Endpoint:
    """The end of a circuit on a port."""
    return {
        "device": device_of(port),
        "port": port.port_name,
        "vlans": [(one.first, one.last) for one in vlans],
    }


def endpoints_of(circuit: CircuitBlockProvisioning) -> list[Endpoint]:
    """The ends of a circuit as the subscription has them."""
    return [endpoint_of(point.port, point.vlans) for point in circuit.access_points]


def get_circuit(name: str) -> Circuit | None:
    """One circuit, None when there is none of this name."""
    try:
        return call("GET", f"/nso/circuits/{name}", _CIRCUIT)
    except OutsideRefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return None
        raise


def configure_circuit(name: str, bandwidth: int, endpoints: list[Endpoint], idempotency_key: str) -> Circuit:
    """Make a circuit with these ends, or change it.

    Raises:
        OutsideRefusedError: another circuit has one of the VLANs.
    """
    body: dict[str, Any] = {"bandwidth": bandwidth, "endpoints": endpoints}
    return call("PUT", f"/nso/circuits/{name}", _CIRCUIT, body=body, idempotency_key=idempotency_key)


def delete_circuit(name: str, idempotency_key: str) -> bool:
    """Remove a circuit. False when there was none: then it is gone as well."""
    try:
        call("DELETE", f"/nso/circuits/{name}", _CIRCUIT, idempotency_key=idempotency_key)
    except OutsideRefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return False
        raise
    return True
