"""`orchestrator demo`: everything as `up` starts it, in a folder of its own, driven by a client from outside."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click

from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.up import is_live
from orchestrator.embedded.child_processes import spawn
from orchestrator.embedded.data_folder import last_words, open_log
from orchestrator.errors import OrchestratorError, SettingsError, UnavailableError
from orchestrator.settings import whole_environment

EXAMPLES: Final = "product_workflows"
HOST: Final = "127.0.0.1"
_PATIENCE = 60.0
_STOP_PATIENCE = 60.0
_LINES_OF_LOG = 40


@click.command
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Live through the whole life of the example products, and check every state and step.

    Servers and processes start in a fresh folder on free ports and stop at the end. Exits 0 when everything was as it
    should be, 1 when something was not.
    """
    examples = _find_examples()
    # The group turns it into an exit status, and every `finally` on the way stops what was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
    log = folder / "demo.log"
    status = None
    try:
        status = _play(folder, log, examples)
    except OrchestratorError:
        status = ExitStatus.FAILED
        raise
    finally:
        if status:
            click.echo(f"{last_words(log, _LINES_OF_LOG)}\nThe whole log: {log}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    ctx.exit(status)


def _find_examples() -> Path:
    spec = importlib.util.find_spec(EXAMPLES)
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise SettingsError(
            f"The demo needs the package {EXAMPLES}, which an installed package does not bring along: "
            "run it in the folder of a clone."
        )
    return Path(next(iter(places)))


def _play(folder: Path, log: Path, examples: Path) -> int:
    ports = dict(zip(("web", "flower", "lab"), free_ports(3), strict=True))
    urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    environment = {
        # A demo never touches servers that somebody works with, whatever is set.
        **{name: value for name, value in whole_environment().items() if not name.startswith("ORCHESTRATOR_")},
        "ORCHESTRATOR_CATALOG": EXAMPLES,
        "ORCHESTRATOR_DATA_DIR": str(folder / "data"),
        "ORCHESTRATOR_HOST": HOST,
        "ORCHESTRATOR_PORT": str(ports["web"]),
        "ORCHESTRATOR_FLOWER_PORT": str(ports["flower"]),
        "LAB_PORT": str(ports["lab"]),
        "LAB_URL": urls["lab"],
        "PYTHONPATH": str(examples.parent),
    }
    click.echo(f"Starting PostgreSQL, Valkey, web server, worker, clock, Flower and the lab in {folder}")
    began = time.monotonic()
    up = [sys.executable, "-m", "orchestrator", "up", "--procfile", str(examples / "Procfile")]
    with ExitStack() as stack:
        output = stack.enter_context(open_log(log))
        running = stack.enter_context(_running(up, environment, output.fileno()))
        _wait_until_ready(running, ports)
        click.echo(f"Ready after {time.monotonic() - began:.1f} s")
        addresses = ["--api", urls["web"], "--flower", urls["flower"], "--lab", urls["lab"]]
        driver = [sys.executable, "-P", "-m", f"{EXAMPLES}.demo", *addresses]
        return stack.enter_context(_running(driver, environment, None)).wait()


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], output: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, so that a Ctrl-C reaches us alone; told to stop at the end."""
    process = spawn(command, environment=environment, death_signal=signal.SIGTERM, stdout=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(up: subprocess.Popen[bytes], ports: Mapping[str, int]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not (is_live(HOST, ports["web"]) and listens(ports["flower"]) and listens(ports["lab"])):
        if up.poll() is not None:
            raise UnavailableError(f"It did not start: `orchestrator up` ended with status {up.returncode}.")
        if time.monotonic() > deadline:
            raise UnavailableError(f"It is not ready after {_PATIENCE:.0f} s.")
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Whether somebody listens on this port of loopback."""
    try:
        socket.create_connection((HOST, port), timeout=0.5).close()
    except OSError:
        return False
    return True
