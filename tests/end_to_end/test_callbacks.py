"""An outside system that calls back: while the process waits, before it does, and after its worker was killed."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.end_to_end.running_system import RunningSystem, done, wait_until


@dataclass
class OutsideSystem:
    """Takes orders; `on_order` may do something before it answers."""

    url: str = ""
    orders: list[dict[str, str]] = field(default_factory=list)
    on_order: Callable[[dict[str, str]], None] = lambda order: None

    def start(self, system: RunningSystem) -> str:
        page = {"outside": self.url, "gate": system.new_gate().name}
        return system.start("order_outside", page)


@pytest.fixture
def outside() -> Iterator[OutsideSystem]:
    known = OutsideSystem()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known.orders.append(order)
            known.on_order(order)
            try:
                self.send_response(204)
                self.end_headers()
            except OSError:
                pass  # who asked was killed

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield known
        server.shutdown()
        thread.join()


def test_one_of_many_callbacks_at_once_is_taken(system: RunningSystem, outside: OutsideSystem) -> None:
    process_id = outside.start(system)
    system.wait_for(process_id, "awaiting_callback")
    route = outside.orders[0]["callback"]
    assert system.api.post(f"{route}/progress", json="half way").status_code == 200
    assert system.show(process_id)["callback_progress"] == "half way"
    assert system.api.post(f"{route}x", json={"built": 0}).status_code == 404

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: system.api.post(route, json={"built": number}).status_code, range(8)))
    assert sorted(answers) == [200] + [409] * 7
    ended = system.wait_for(process_id, "completed")
    assert ended["current_state"]["built"] == answers.index(200)
    assert done(ended) == ["start", "order.ask_outside", "order.await_callback", "order.look_at_answer", "done"]
    assert route.rpartition("/")[2] not in json.dumps(ended)
    assert route.rpartition("/")[2] not in system.log.read_text(errors="replace")


def test_a_callback_before_the_asking_step_has_ended_is_kept(system: RunningSystem, outside: OutsideSystem) -> None:
    answers: list[int] = []

    def at_once(order: dict[str, str]) -> None:
        answers.append(system.api.post(order["callback"], json={"built": 1}).status_code)

    outside.on_order = at_once
    ended = system.wait_for(outside.start(system), "completed")
    assert answers == [200]
    assert ended["current_state"]["built"] == 1
    assert "awaiting_callback" not in [row["status"] for row in ended["steps"]]


def test_a_worker_killed_after_it_handed_out_the_route_hands_out_the_same(
    system: RunningSystem, outside: OutsideSystem
) -> None:
    def hold_the_first(_: dict[str, str]) -> None:
        if len(outside.orders) == 1:
            victim = int(gate.wait_for_visits(1)[0])
            os.kill(victim, signal.SIGKILL)

    outside.on_order = hold_the_first
    gate = system.new_gate()
    process_id = system.start("order_outside", {"outside": outside.url, "gate": gate.name})
    wait_until(lambda: len(outside.orders) == 2, lambda: f"asked {len(outside.orders)} times")
    assert outside.orders[0] == outside.orders[1]
    system.wait_for(process_id, "awaiting_callback")
    assert system.api.post(outside.orders[0]["callback"], json={"built": 2}).status_code == 200
    assert system.wait_for(process_id, "completed")["current_state"]["built"] == 2
    wait_until(lambda: len(system.worker_children()) == 2, lambda: "the child that was killed has no successor")
