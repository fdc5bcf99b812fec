"""A network namespace for one worker, and the cut: its packets vanish, and nobody gets a FIN or a RST."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_NOBODY = "02:00:00:00:00:99"


@dataclass(frozen=True)
class OwnNetwork:
    """A namespace joined to ours by a pair of virtual cards; `host` is our address as seen from inside."""

    name: str
    outside: str
    inside: str
    host: str
    guest: str

    def command(self, line: str) -> list[str]:
        """How to run a line of the Procfile inside."""
        return ["ip", "netns", "exec", self.name, "/bin/sh", "-c", f"exec {line}"]

    def cut(self) -> None:
        """From now on all packets vanish, both ways, and nobody is told: they go to a card that is not there."""
        _ip("neigh", "replace", self.guest, "lladdr", _NOBODY, "dev", self.outside, "nud", "permanent")
        _ip(*self._within, "neigh", "replace", self.host, "lladdr", _NOBODY, "dev", self.inside, "nud", "permanent")

    def heal(self) -> None:
        """Let packets through again."""
        _ip("neigh", "del", self.guest, "dev", self.outside)
        _ip(*self._within, "neigh", "del", self.host, "dev", self.inside)

    @property
    def _within(self) -> tuple[str, str]:
        return "-n", self.name


def why_not() -> str | None:
    """Why there can be no such network here; None when there can."""
    if os.geteuid() != 0:
        return "not root"
    probe = f"chaosprobe{os.getpid()}"
    try:
        _ip("netns", "add", probe)
        try:
            _ip("-n", probe, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        finally:
            _ip("netns", "del", probe)
    except (OSError, subprocess.CalledProcessError) as refused:
        said = getattr(refused, "stderr", b"") or str(refused).encode()
        return f"network namespaces are refused ({said.decode(errors='replace').strip()})"
    return None


@contextmanager
def own_network() -> Iterator[OwnNetwork]:
    """Make one, and take it away at the end."""
    number = os.getpid()
    name, outside, inside = f"chaos{number}", f"co{number}", f"ci{number}"
    prefix = f"10.231.{number % 250}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", name)
        _ip("addr", "add", f"{prefix}.1/30", "dev", outside)
        _ip("link", "set", outside, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "addr", "add", f"{prefix}.2/30", "dev", inside)
        _ip("-n", name, "link", "set", inside, "up")
        yield OwnNetwork(name, outside, inside, f"{prefix}.1", f"{prefix}.2")
    finally:
        _ip("netns", "del", name)  # its card goes with it, and ours with that


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
