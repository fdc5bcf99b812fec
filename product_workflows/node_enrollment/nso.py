"""NSO, the controller: the devices of the network and the services that are configured on them."""

from __future__ import annotations

from typing import Any, Final

import httpx
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from product_workflows.outside import OutsideRefusedError, call


class Device(TypedDict):
    """A device as NSO describes it. `services` holds the settings of each by its name."""

    name: str
    service_id: str
    role: str
    site_id: str
    routing_domain: str
    services: dict[str, dict[str, Any]]


_DEVICE: Final = TypeAdapter(Device)


def get_device(device_name: str) -> Device | None:
    """One device, None when there is none of this name."""
    try:
        return call("GET", f"/nso/devices/{device_name}", _DEVICE)
    except OutsideRefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return None
        raise


def configure_device(device_name: str, settings: dict[str, Any], idempotency_key: str) -> Device:
    """Make a device with these settings, or change those that are named."""
    return call("PUT", f"/nso/devices/{device_name}", _DEVICE, body=settings, idempotency_key=idempotency_key)


def configure_service(device_name: str, service: str, settings: dict[str, Any], idempotency_key: str) -> Device:
    """Configure a service on a device.

    Raises:
        OutsideRefusedError: there is no such device.
    """
    path = f"/nso/devices/{device_name}/services/{service}"
    return call("PUT", path, _DEVICE, body=settings, idempotency_key=idempotency_key)


def delete_service(device_name: str, service: str, idempotency_key: str) -> bool:
    """Take a service from a device. False when there was none, or no device: then it is gone as well."""
    path = f"/nso/devices/{device_name}/services/{service}"
    try:
        call("DELETE", path, _DEVICE, idempotency_key=idempotency_key)
    except OutsideRefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return False
        raise
    return True


def delete_device(device_name: str, idempotency_key: str) -> bool:
    """Remove a device with its services. False when there was none: then it is gone as well."""
    try:
        call("DELETE", f"/nso/devices/{device_name}", _DEVICE, idempotency_key=idempotency_key)
    except OutsideRefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return False
        raise
    return True
