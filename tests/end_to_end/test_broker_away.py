"""What a fleet does while its broker is stopped or frozen, and when it is back."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.api_client import row_of, wait_until
from tests.end_to_end.fleet import Fleet, new_fleet, valkey_server
from tests.end_to_end.rabbitmq_server import rabbitmq_server

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)


@pytest.fixture(params=[valkey_server, rabbitmq_server], ids=["valkey", "rabbitmq"])
def fleet(catalog_database_url: str, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    with request.param() as broker, new_fleet(catalog_database_url, broker) as made:
        yield made


@pytest.mark.parametrize("how", ["stopped", "frozen", "frozen for long"])
def test_a_broker_that_is_away_keeps_nobody_and_all_goes_on_when_it_is_back(fleet: Fleet, how: str) -> None:
    fleet.web()
    clock = fleet.clock()
    worker = fleet.worker()
    worker.wait_until_it_said("ready.")
    failing, held, aborted = (fleet.new_gate() for _ in range(3))
    to_resume = fleet.start("fail_until_open", {"gate": failing.name})
    fleet.wait_for(to_resume, "failed")
    to_call_back = fleet.start("order_outside", {"gate": (route_gate := fleet.new_gate()).name})
    fleet.wait_for(to_call_back, "awaiting_callback")
    route = (fleet.folder / f"{route_gate.name}.route").read_text()
    holding, aborting = (fleet.start("write_ledger", {"gate": gate.name}) for gate in (held, aborted))
    held.wait_for_visits(1)
    aborted.wait_for_visits(1)

    if how == "stopped":
        fleet.broker.stop()
    else:
        fleet.signal_broker(signal.SIGSTOP)
    failing.open()

    def timed(method: str, path: str, body: object) -> tuple[int, float]:
        answer = fleet.api.request(method, path, json=body)
        return answer.status_code, answer.elapsed.total_seconds()

    answers = [
        timed("POST", "/api/processes/ten_steps", []),
        timed("PUT", f"/api/processes/{to_resume}/resume", []),
        timed("POST", route, {"built": 7}),
        timed("PUT", f"/api/processes/{aborting}/abort", {}),
        timed("GET", "/api/processes/", None),
    ]
    assert [status for status, _ in answers] == [201, 204, 200, 204, 200]
    assert all(seconds < 3 for _, seconds in answers), answers
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda _: timed("POST", "/api/processes/ten_steps", []), range(8)))
    assert [status for status, _ in many] == [201] * 8
    assert all(seconds < 6 for _, seconds in many), many
    # What runs is recorded, although its worker can tell nobody.
    held.open()
    wait_until(
        lambda: row_of(fleet.show(holding), "enter_and_wait")["status"] == "success", lambda: str(fleet.show(holding))
    )
    aborted.open()
    # Long enough for workers to give up their connections, and to look for new ones again and again.
    time.sleep(45 if how == "frozen for long" else 5)
    assert clock.process.poll() is None, clock.said()
    assert worker.process.poll() is None, worker.said()

    if how == "stopped":
        fleet.broker.begin()
        fleet.broker.wait_until_ready()
    else:
        fleet.signal_broker(signal.SIGCONT)
    back = time.monotonic()
    wait_until(
        lambda: fleet.count("completed") == 12,
        lambda: json.dumps(fleet.rows("SELECT status, count(*) FROM processes GROUP BY status")),
    )
    log.info("%s: all done %.1f s after it was back", how, time.monotonic() - back)
    assert fleet.show(aborting)["last_status"] == "aborted"
    assert sorted(row["entry"] for row in fleet.rows("SELECT entry FROM ledger")) == sorted([held.name, failing.name])
