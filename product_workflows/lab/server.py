"""The HTTP server: ESDB under /esdb, NSO under /nso, its switches and logs under /lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from threading import Lock, Thread
from typing import Any, Final

from flask import Flask, Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from product_workflows.lab.faults import Fault, Faults
from product_workflows.lab.systems import RefusedError, Systems

Action = Callable[..., Any]

_OUTSIDE: Final[tuple[tuple[str, str, Action], ...]] = (
    ("GET", "/esdb/nodes", lambda systems: list(systems.nodes.values())),
    ("GET", "/esdb/nodes/<int:node_id>", Systems.node),
    ("PUT", "/esdb/nodes/<int:node_id>/reservation", Systems.reserve),
    ("DELETE", "/esdb/nodes/<int:node_id>/reservation", Systems.release),
    ("GET", "/esdb/nodes/<int:node_id>/ports", Systems.ports_of),
    ("GET", "/esdb/ports/<int:port_id>", Systems.port),
    ("PUT", "/esdb/ports/<int:port_id>/reservation", Systems.reserve_port),
    ("DELETE", "/esdb/ports/<int:port_id>/reservation", Systems.release_port),
    ("GET", "/nso/devices", lambda systems: list(systems.devices.values())),
    ("GET", "/nso/devices/<name>", Systems.device),
    ("PUT", "/nso/devices/<name>", Systems.put_device),
    ("DELETE", "/nso/devices/<name>", Systems.delete_device),
    ("PUT", "/nso/devices/<name>/services/<service>", Systems.put_service),
    ("DELETE", "/nso/devices/<name>/services/<service>", Systems.delete_service),
    ("GET", "/nso/circuits/<name>", Systems.circuit),
    ("PUT", "/nso/circuits/<name>", Systems.put_circuit),
    ("DELETE", "/nso/circuits/<name>", Systems.delete_circuit),
)


class Lab:
    """All that one server remembers."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """As it was at the start."""
        with self._lock:
            self.faults.clear()
            self.systems = Systems()
            self.calls: list[dict[str, Any]] = []
            self._answers: dict[tuple[str, ...], tuple[Any, Any]] = {}

    def handle(self, action: Action, **place: Any) -> Response:
        """Answer the request of this moment: its fault first, then once for each Idempotency-Key."""
        fault = self.faults.take(request.method, request.path)
        if fault is not None:
            time.sleep(fault.seconds)
        key = request.headers.get("Idempotency-Key")
        with self._lock:
            try:
                if fault is not None and fault.status is not None:
                    raise RefusedError(fault.status, "a fault that was asked for")
                status, answer = 200, self._once(key, partial(action, self.systems, **place, **_body()))
            except RefusedError as error:
                status, answer = error.status, _error(error.status, str(error))
            call = {"number": len(self.calls) + 1, "method": request.method, "path": request.path, "key": key}
            self.calls.append({**call, "status": status})
            response = jsonify(answer)
        response.status_code = status
        match None if fault is None else fault.answer:
            case None:
                pass
            case "malformed":
                response.set_data(b'{"name": "unfinis')
            case "empty":
                response.set_data(b"")
            case other:
                response.set_data(jsonify(other).get_data())
        return response

    def _once(self, key: str | None, action: Action) -> Any:
        """What the action gives. Only a call that succeeded is remembered: one that was refused had no effect."""
        if key is None:
            return deepcopy(action())
        place = (key, request.method, request.path)
        if place not in self._answers:
            self._answers[place] = (_body(), deepcopy(action()))
        body, answer = self._answers[place]
        if body != _body():
            raise RefusedError(422, f"the Idempotency-Key {key} was used with another body")
        return answer


def _body() -> dict[str, Any]:
    """The arguments in the body of a PUT."""
    if request.method != "PUT":
        return {}
    body = request.get_json()
    if not isinstance(body, dict):
        raise RefusedError(422, "the body must be a JSON object")
    return {"settings": body}


def _error(status: int, message: str) -> dict[str, Any]:
    return {"status": status, "error": message}


def create_app(lab: Lab) -> Flask:
    """The WSGI application of a lab."""
    app = Flask("lab")
    for method, rule, action in _OUTSIDE:
        app.add_url_rule(rule, f"{method} {rule}", partial(lab.handle, action), methods=[method])

    @app.errorhandler(HTTPException)
    def _http_error(error: HTTPException) -> tuple[Response, int]:
        status = error.code or 500
        return jsonify(_error(status, error.description or error.name)), status

    @app.get("/lab/calls")
    def _calls() -> Response:
        return jsonify(lab.calls)

    @app.get("/lab/effects")
    def _effects() -> Response:
        return jsonify(lab.systems.effects)

    @app.get("/lab/faults")
    def _faults() -> Response:
        return jsonify(lab.faults.as_json())

    @app.put("/lab/faults")
    def _put_fault() -> tuple[Response, int]:
        try:
            lab.faults.add(Fault.model_validate(request.get_json()))
        except ValidationError as error:
            found = [f"{'.'.join(map(str, item['loc'])) or 'fault'}: {item['msg']}" for item in error.errors()]
            return jsonify(_error(422, "; ".join(found))), 422
        return jsonify(lab.faults.as_json()), 200

    @app.delete("/lab/faults")
    def _delete_faults() -> Response:
        lab.faults.clear()
        return jsonify([])

    @app.post("/lab/reset")
    def _reset() -> Response:
        lab.reset()
        return jsonify({})

    return app


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the calls are under /lab/calls."""


def bind(port: int = 0) -> BaseWSGIServer:
    """A server on 127.0.0.1 that listens; `serve_forever` answers. Port 0 takes a free one, see `server_port`."""
    return make_server("127.0.0.1", port, create_app(Lab()), threaded=True, request_handler=_Quiet)


@contextmanager
def running_lab(port: int = 0) -> Iterator[str]:
    """A lab in a thread of this process, for tests. Gives its address."""
    server = bind(port)
    thread = Thread(target=partial(server.serve_forever, poll_interval=0.02), name="lab", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
