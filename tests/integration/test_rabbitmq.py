"""Ringing, counting and looking at a RabbitMQ: there, frozen, gone and back, full, or not as it has to be."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import pytest
from kombu import Connection, Queue

from orchestrator.engine.bell import Ring
from orchestrator.errors import SettingsError, UnavailableError
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from orchestrator.tasks.bell import CeleryBell
from orchestrator.tasks.broker import check_broker, ping_broker
from tests.end_to_end.rabbitmq_server import PASSWORD, RabbitServer, rabbitmq_server

pytestmark = pytest.mark.slow

RING = Ring(1, uuid4(), "a_workflow", "a_step", "CREATE", False)
TASK = Ring(2, uuid4(), "a_task", "a_step", "SYSTEM", True)
CHECK = Ring(3, uuid4(), "a_check", "a_step", "VALIDATE", True)


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitServer]:
    """One RabbitMQ for this module."""
    with rabbitmq_server() as running:
        yield running


@pytest.fixture
def rabbitmq(server: RabbitServer) -> RabbitServer:
    """The same, without queues."""
    server.move_to_new_vhost()
    return server


def settings_for(url: str) -> Settings:
    return Settings(broker_url=url, target_queues={"VALIDATE": "checks"})


def new_bell(url: str) -> CeleryBell:
    settings = settings_for(url)
    return CeleryBell(build_application(settings), settings)


@pytest.fixture
def bell(rabbitmq: RabbitServer) -> CeleryBell:
    return new_bell(rabbitmq.url)


def quickly(ask: Callable[[], object]) -> object:
    """What is answered, within the seconds that nobody has to wait longer."""
    started = time.monotonic()
    answer = ask()
    assert time.monotonic() - started < 3
    return answer


def wait_for_leaders(server: RabbitServer) -> None:
    """A queue takes a moment to choose who leads it, of all its nodes: here the one."""
    deadline = time.monotonic() + 20
    while not all(leader for _, leader in server.queues("leader")):
        assert time.monotonic() < deadline


def rings_until_it_is_sent(bell: CeleryBell) -> None:
    deadline = time.monotonic() + 20
    while quickly(lambda: bell.ring([RING])) != 1:
        assert time.monotonic() < deadline


def test_bells_are_counted_by_queue_and_kept_by_quorum_queues(bell: CeleryBell, rabbitmq: RabbitServer) -> None:
    assert bell.queued() == {"checks": 0, "tasks": 0, "workflows": 0}
    assert bell.ring([RING, TASK, RING, CHECK]) == 4
    assert bell.queued() == {"checks": 1, "tasks": 1, "workflows": 2}
    assert rabbitmq.queues("type") == [["checks", "quorum"], ["tasks", "quorum"], ["workflows", "quorum"]]


def test_a_broker_that_is_frozen_or_gone_costs_seconds_and_is_rung_when_it_is_back(
    bell: CeleryBell, rabbitmq: RabbitServer
) -> None:
    assert bell.ring([RING]) == 1
    for connected in (True, False):
        rabbitmq.send_signal(signal.SIGSTOP)
        try:
            assert quickly(lambda: bell.ring([RING, RING])) == 0, connected
            assert quickly(bell.queued) is None
        finally:
            rabbitmq.send_signal(signal.SIGCONT)
    assert quickly(lambda: bell.ring([RING])) == 1
    for number in (signal.SIGTERM, signal.SIGKILL):
        assert bell.queued() is not None
        rabbitmq.stop(number)
        assert quickly(lambda: bell.ring([RING, RING])) == 0
        assert quickly(bell.queued) is None
        rabbitmq.begin()
        rabbitmq.wait_until_ready()
        rings_until_it_is_sent(bell)
        assert bell.queued() is not None


def test_who_rang_before_the_broker_was_started_again_rings_at_once_afterwards(
    bell: CeleryBell, rabbitmq: RabbitServer
) -> None:
    assert bell.ring([RING]) == 1
    rabbitmq.stop()
    rabbitmq.begin()
    rabbitmq.wait_until_ready()
    wait_for_leaders(rabbitmq)
    assert bell.ring([TASK, RING]) == 2
    assert bell.queued() == {"checks": 0, "tasks": 1, "workflows": 2}


def test_a_queue_that_was_deleted_is_made_anew_for_the_next_bell(bell: CeleryBell, rabbitmq: RabbitServer) -> None:
    assert bell.ring([RING, TASK]) == 2
    rabbitmq.control("delete_queue", "--vhost", rabbitmq.vhost, "workflows")
    assert bell.queued() == {"checks": 0, "tasks": 1, "workflows": 0}
    assert bell.ring([TASK, RING]) == 1
    assert bell.ring([RING]) == 1
    assert bell.queued() == {"checks": 0, "tasks": 2, "workflows": 1}


def test_a_broker_that_is_full_is_no_error_of_who_rings(bell: CeleryBell, rabbitmq: RabbitServer) -> None:
    assert bell.ring([RING]) == 1
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        assert quickly(lambda: bell.ring([RING, RING])) == 0
        assert quickly(bell.queued) is not None
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    rings_until_it_is_sent(bell)


def test_a_user_who_may_not_publish_is_no_error_of_who_rings(rabbitmq: RabbitServer) -> None:
    rabbitmq.control("add_user", "reader", PASSWORD)
    try:
        rabbitmq.control("set_permissions", "--vhost", rabbitmq.vhost, "reader", "", "", ".*")
        settings = settings_for(rabbitmq.url_with(user="reader"))
        assert new_bell(settings.require_broker_url()).ring([RING]) == 0
        with pytest.raises(SettingsError, match=r"lets this user make no queue: access to queue 'checks'"):
            check_broker(settings)
    finally:
        rabbitmq.control("delete_user", "reader")


def test_a_set_up_that_is_well_is_well(rabbitmq: RabbitServer) -> None:
    check_broker(settings_for(rabbitmq.url))
    ping_broker(build_application(settings_for(rabbitmq.url)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "hush-hush"}, "RabbitMQ refuses the user or the password in ORCHESTRATOR_BROKER_URL"),
        ({"user": "nobody"}, "RabbitMQ refuses the user or the password in ORCHESTRATOR_BROKER_URL"),
        ({"vhost": "elsewhere"}, "RabbitMQ refuses the virtual host in ORCHESTRATOR_BROKER_URL: vhost elsewhere not"),
    ],
)
def test_what_is_wrong_with_a_url_is_one_sentence(rabbitmq: RabbitServer, wrong: dict[str, str], says: str) -> None:
    settings = settings_for(rabbitmq.url_with(**wrong))
    with pytest.raises(SettingsError) as raised:
        check_broker(settings)
    assert str(raised.value).startswith(says)
    assert "hush" not in str(raised.value)
    with pytest.raises(UnavailableError, match="The broker does not answer: "):
        ping_broker(build_application(settings))
    bell = new_bell(settings.require_broker_url())
    assert (bell.ring([RING]), bell.queued()) == (0, None)


def test_a_queue_of_another_kind_is_named(rabbitmq: RabbitServer) -> None:
    with Connection(rabbitmq.url) as connection:
        Queue("tasks", channel=connection.default_channel).declare()
    with pytest.raises(SettingsError, match=r"is another one, delete it: inequivalent arg 'x-queue-type' for queue 't"):
        check_broker(settings_for(rabbitmq.url))


@contextmanager
def said_otherwise(server: RabbitServer, word: bytes, instead: bytes) -> Iterator[int]:
    """The port of a way to the server on which it says something else than it does."""
    assert len(word) == len(instead)

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data.replace(word, instead))
            target.shutdown(socket.SHUT_WR)

    def serve(listener: socket.socket) -> None:
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", server.port)) as far:
            back = threading.Thread(target=carry, args=(far, near))
            back.start()
            carry(near, far)
            back.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        carrier = threading.Thread(target=serve, args=(listener,))
        carrier.start()
        yield listener.getsockname()[1]
        carrier.join(10)


def test_a_server_that_is_too_old_is_refused(rabbitmq: RabbitServer) -> None:
    with Connection(rabbitmq.url) as connection:
        connection.connect()
        version = connection.connection.server_properties["version"].encode()
    old = b"3.9.99"[: len(version)].ljust(len(version), b"9")
    with (
        said_otherwise(rabbitmq, version, old) as port,
        pytest.raises(SettingsError, match=r"RabbitMQ 3\.9\.\d+ is too old, 3\.10 is the oldest"),
    ):
        check_broker(settings_for(rabbitmq.url_with(port=port)))


def test_with_tls_the_certificate_has_to_be_one_of_the_host_from_an_authority_that_is_known(
    rabbitmq: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = rabbitmq.listen_with_tls("DNS:localhost")
    rabbitmq.stop()
    rabbitmq.begin()
    rabbitmq.wait_until_ready()
    here = rabbitmq.url_with(port=rabbitmq.tls_port).replace("amqp://", "amqps://")
    by_name = settings_for(here.replace("127.0.0.1", "localhost"))
    with pytest.raises(UnavailableError, match="certificate verify failed"):
        check_broker(by_name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    check_broker(by_name)
    bell = new_bell(by_name.require_broker_url())
    assert quickly(lambda: bell.ring([RING, RING])) == 2
    assert bell.queued() == {"checks": 0, "tasks": 0, "workflows": 2}
    assert bell.ring([RING]) == 1
    with pytest.raises(UnavailableError, match="certificate verify failed"):
        check_broker(settings_for(here))


def test_a_server_that_is_no_rabbitmq_is_refused(rabbitmq: RabbitServer) -> None:
    with (
        said_otherwise(rabbitmq, b"RabbitMQ", b"HamsterQ") as port,
        pytest.raises(SettingsError, match="names a HamsterQ; it has to be RabbitMQ, Valkey or Redis"),
    ):
        check_broker(settings_for(rabbitmq.url_with(port=port)))
