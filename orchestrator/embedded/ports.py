"""Find out before a server starts whether it can listen."""

from __future__ import annotations

import socket

from orchestrator.errors import PortTakenError


def check_port_is_free(host: str, port: int, setting: str) -> None:
    """Raise PortTakenError, naming the setting that can mend it, when nobody can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections that a server before us left in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise PortTakenError(
                f"Cannot listen on {host}, port {port} ({error.strerror}): stop what uses it, or set {setting}."
            ) from error
