"""The lab, on an address that a worker in a network of its own can reach."""

from __future__ import annotations

import argparse

from werkzeug.serving import WSGIRequestHandler, make_server

from product_workflows.lab.server import Lab, create_app


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the calls are under /lab/calls."""


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    make_server(given.host, given.port, create_app(Lab()), threaded=True, request_handler=_Quiet).serve_forever()


if __name__ == "__main__":
    main()
