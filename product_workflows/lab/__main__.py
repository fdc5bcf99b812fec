"""`python -m product_workflows.lab --port 8099`; prints its address once it listens."""

from __future__ import annotations

import argparse
import signal

from product_workflows.lab.server import bind


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m product_workflows.lab", description=__doc__)
    parser.add_argument("--port", type=int, default=8099, help="0 takes a free one")
    server = bind(parser.parse_args().port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
