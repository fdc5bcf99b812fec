"""A strike that is going on, and how the faults take aim."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from tests.chaos.plant import Place
from tests.chaos.sight import Held, Spot
from tests.chaos.storm import NoTargetError, Storm, Strike

TRIES: Final = 20
_UNHARMED: Final = frozenset[int]()


class Blow:
    """Begins at the moment of the strike. `struck`: the claims that it strikes, else all that are held now.

    Raises:
        NoTargetError: nothing is claimed any more.
    """

    def __init__(self, storm: Storm, kind: str, struck: Collection[Held] | None = None) -> None:
        self._storm, self._kind = storm, kind
        self.open: dict[int, Spot] = storm.sight.spots() or {}
        held = storm.sight.held() if struck is None else list(struck)
        if not held:
            raise NoTargetError
        self.struck: dict[int, Spot] = {each.seq: (each.position, each.token) for each in held}
        self.began = time.time()

    def until_moved(self, since: float | None = None) -> float:
        """Wait until all that it struck was recorded or claimed anew; the seconds since then, or since it began."""
        return self._storm.until_moved(self.struck, self.began if since is None else since, self._kind)

    def recovered(self, recovery: float, pids: frozenset[int] | None = _UNHARMED, ended: float | None = None) -> None:
        """Write the strike down, and wait until everything that was open when it began has gone on.

        Args:
            recovery: seconds.
            pids: whose attempts it may have ended; None: anybody's.
            ended: until when it may have ended them.
        """
        settled = self._storm.until_moved(self.open, self.began, f"{self._kind}, everything that was open")
        ended = self.began if ended is None else ended
        self._storm.note(Strike(self._kind, self.began, ended, pids, len(self.struck), recovery, settled))


def a_worker(storm: Storm) -> tuple[Place, list[Held]]:
    """A worker that has steps claimed just now, and those claims."""
    for _ in range(TRIES):
        held = storm.await_held()
        places = {place.name: place for each in held if (place := storm.plant.worker_of(each.pid)) is not None}
        if places:
            place = places[storm.pick(places)]
            struck = held_by(storm, place.children())
            if struck:
                return place, struck
    raise NoTargetError


def held_by(storm: Storm, pids: Collection[int]) -> list[Held]:
    """What these processes hold, after statements that were on their way have reached the server."""
    time.sleep(0.02)
    return [each for each in storm.sight.held() if each.pid in pids]
