"""Commands to a real broker that nobody waits for, over connections that break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import ResponseError

from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.tasks.notes import CLOSED, Notes


@pytest.fixture
def client(broker: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url("unix" + broker.url.removeprefix("redis+socket")) as client:
        yield client


@pytest.fixture
def notes(client: redis.Redis) -> Iterator[Notes]:
    pool: Any = redis.ConnectionPool(**client.connection_pool.connection_kwargs, connection_class=_SOCKET)
    yield Notes(pool)
    pool.disconnect()


_SOCKET = redis.UnixDomainSocketConnection


def cut(client: redis.Redis) -> None:
    """All connections but this one."""
    client.client_kill_filter(skipme=True, _type="normal")


def test_what_is_noted_is_sent_with_what_is_sent_next_in_its_order(notes: Notes, client: redis.Redis) -> None:
    notes.note("SET", "name", "first")
    assert client.get("name") is None
    notes.note("SET", "name", "second")
    notes.settle()
    assert client.get("name") == b"second"
    for number in range(1_000):
        notes.note("SADD", "numbers", str(number))
        notes.send()
    notes.settle()
    assert client.scard("numbers") == 1_000


def test_what_was_not_answered_when_the_connection_broke_is_given_again_over_the_next(
    notes: Notes, client: redis.Redis
) -> None:
    notes.note("SADD", "numbers", "0")
    notes.settle()
    cut(client)
    for number in range(1, 300):
        notes.note("SADD", "numbers", str(number))
        notes.send()
        if number % 50 == 0:
            cut(client)
    notes.settle()
    assert client.scard("numbers") == 300


def test_a_broker_that_refuses_is_heard_and_its_answers_stay_in_step(notes: Notes, client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")
    notes.note("SADD", "numbers", "1")
    notes.note("SREM", "numbers", "2")
    notes.send()
    with pytest.raises(ResponseError, match="maxmemory"):
        notes.settle()
    client.config_set("maxmemory", "0")
    notes.note("SADD", "numbers", "3")
    notes.settle()
    assert client.smembers("numbers") == {b"3"}


def test_a_broker_that_is_gone_is_an_error_each_time_and_back_it_hears_all(
    notes: Notes, client: redis.Redis, broker: ValkeyServer
) -> None:
    notes.note("SADD", "numbers", "1")
    notes.settle()
    broker.stop()
    notes.note("SADD", "numbers", "2")
    for _ in range(2):
        with pytest.raises(BrokenConnectionError):
            notes.settle()
    broker.begin()
    broker.wait_until_ready()
    notes.note("SADD", "numbers", "3")
    notes.settle()
    assert {b"2", b"3"} <= set(client.smembers("numbers"))  # type: ignore[arg-type]


def test_what_is_closed_takes_no_more(notes: Notes, client: redis.Redis) -> None:
    notes.note("SADD", "numbers", "1")
    notes.close()
    notes.settle()
    with pytest.raises(BrokenConnectionError, match=CLOSED):
        notes.note("SADD", "numbers", "2")
    assert client.smembers("numbers") == set()
