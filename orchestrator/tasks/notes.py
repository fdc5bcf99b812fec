"""What a worker notes with Valkey or Redis of the messages that it has taken, without waiting for answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import ResponseError

CLOSED: Final = "the connection to the broker is closed"

# An answer is a number, so that the broker never waits for room to send them.
_MOST_UNANSWERED = 128


class Notes:
    """A connection of its own for commands that may be given twice.

    To wait for each answer costs a worker's main process more than the commands do. Here they are sent together, and
    answers are read when there are many of them, or when somebody has to be sure. A connection that turns out to be
    closed is replaced once, and what was not answered is given again.
    """

    def __init__(self, pool: Any) -> None:
        """Take connections from a pool of redis-py."""
        self._pool = pool
        self._connection: Any = None
        self._unsent: list[bytes] = []
        self._unanswered: deque[bytes] = deque()

    def note(self, *command: str | bytes | float) -> None:
        """Give a command, to be sent with what is sent next.

        Raises:
            redis.exceptions.RedisError: there is no connection, and none can be made.
        """
        if self._pool is None:
            raise BrokenConnectionError(CLOSED)
        if self._connection is None:
            self._connection = self._pool.get_connection()
        self._unsent.append(b"".join(self._connection.pack_command(*command)))

    def send(self) -> None:
        """Send what waits, and do not wait for its answers.

        Raises:
            redis.exceptions.RedisError: the broker is away, or refused something that was sent before.
        """
        self._twice(self._send)

    def settle(self) -> None:
        """Send what waits, and wait until all is answered.

        Raises:
            redis.exceptions.RedisError: the broker is away, or refused something.
        """
        self._twice(self._settle)

    def close(self) -> None:
        """Take no more commands."""
        if self._connection is not None:
            self._connection.disconnect()
        self._pool = self._connection = None
        self._unsent.clear()
        self._unanswered.clear()

    def _twice(self, act: Callable[[], None]) -> None:
        if not self._unsent and not self._unanswered:
            return
        try:
            self._once(act)
        except BrokenConnectionError:
            self._once(act)

    def _once(self, act: Callable[[], None]) -> None:
        try:
            act()
        except ResponseError:
            raise
        except BaseException:
            self._connection.disconnect()
            self._unsent[:0] = self._unanswered
            self._unanswered.clear()
            raise

    def _send(self) -> None:
        if len(self._unanswered) >= _MOST_UNANSWERED:
            self._read_answers()
        self._unanswered += self._unsent
        together = [b"".join(self._unsent)]
        self._unsent.clear()
        # It would look for a sign of life among the answers.
        self._connection.send_packed_command(together, check_health=False)

    def _settle(self) -> None:
        if self._unsent:
            self._send()
        self._read_answers()

    def _read_answers(self) -> None:
        refused: ResponseError | None = None
        while self._unanswered:
            try:
                self._connection.read_response()
            except ResponseError as error:
                refused = refused or error
            self._unanswered.popleft()
        if refused is not None:
            raise refused
