"""Real processes under the guard and the supervisor, and what is left of them afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import psutil
import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]

UP = dedent(
    """
    import os, sys
    from pathlib import Path
    from orchestrator.embedded.guard import continue_under_guard
    from orchestrator.embedded.machine import embedded_machine
    from orchestrator.embedded.procfile import read_procfile
    from orchestrator.embedded.supervisor import Supervisor

    here, grace, servers = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "servers"
    continue_under_guard()
    given = {} if servers else {"database_url": "none", "broker_url": "none"}
    with embedded_machine(here / "data", **given) as machine:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BROKER": machine.addresses.broker_url,
        }
        programs = read_procfile(here / "Procfile")
        Supervisor(programs, environment, output=sys.stdout, folder=here, grace=grace, tick=machine.revive).run()
    print("good bye", flush=True)
    """
)
CELERY_APPLICATION = dedent(
    """
    import os, time
    from celery import Celery

    application = Celery("trivial", broker=os.environ["BROKER"])
    application.conf.update(task_ignore_result=True, task_acks_late=True, broker_connection_retry_on_startup=True)

    @application.task
    def sleep(seconds):
        print("sleeping", flush=True)
        time.sleep(seconds)
    """
)


class Up:
    """A running `up` of a Procfile, and all that it has said."""

    def __init__(self, here: Path, procfile: str, grace: float = 10.0, servers: str = "none") -> None:
        (here / "Procfile").write_text(procfile)
        self.log = here / "log"
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{here}"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", UP, here, str(grace), servers],
                env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.guard = psutil.Process(self.process.pid)

    def says(self, words: str, count: int = 1) -> str:
        """Wait until the words have been said that many times."""
        until(lambda: self.log.read_text().count(words) >= count, lambda: f"{words!r} in {self.log.read_text()}")
        return self.log.read_text()

    def everything(self) -> list[psutil.Process]:
        return [self.guard, *self.guard.children(recursive=True)]

    def find(self, words: str) -> psutil.Process:
        """The first process, from the root of the tree, whose command line has these words."""
        return next(each for each in self.everything()[2:] if words in " ".join(each.cmdline()))


def until(true: Callable[[], bool], what: Callable[[], str], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what()}"
        time.sleep(0.05)


def living(processes: list[psutil.Process]) -> list[str]:
    # A zombie whose new parent is slow to look is no orphan that works on.
    return [str(each) for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def here() -> Iterator[Path]:
    with TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as place:
        yield Path(place)


@pytest.fixture
def start(here: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start_it(procfile: str, grace: float = 10.0, servers: str = "none") -> Up:
        started.append(Up(here, procfile, grace, servers))
        return started[-1]

    yield start_it
    for up in started:
        if up.process.poll() is None:
            up.process.terminate()
            up.process.wait(30)


def test_output_carries_the_name_and_variables_are_filled_in(start: Callable[..., Up]) -> None:
    up = start("a: sh -c 'echo one; printf unfinished; sleep 60'\nlonger: sh -c 'echo ${NOT_SET:-two} >&2; sleep 60'\n")
    up.says("longer | two\n")
    up.says("a      | one\n")
    up.process.terminate()
    assert up.process.wait(10) == 0
    assert up.log.read_text().endswith("good bye\n")
    assert "a      | unfinished\n" in up.log.read_text()


def test_what_ends_starts_again_after_a_growing_pause(start: Callable[..., Up]) -> None:
    up = start("crash: sh -c 'date +at:%s.%N; exit 3'\nsteady: sh -c 'echo once; exec sleep 60'\n")
    said = up.says("at:", count=3)
    moments = [float(line.partition("at:")[2]) for line in said.splitlines() if "at:" in line]
    assert 1.0 <= moments[1] - moments[0] < 1.9
    assert 2.0 <= moments[2] - moments[1] < 2.9
    assert "crash  | ended (exit status 3), starts again in 2 s" in said
    assert said.count("once") == 1


PARENT_AND_CHILD = dedent(
    """
    import os, signal, sys, time

    def told(number, frame):
        print(name, "was told", flush=True)
        time.sleep(1)
        sys.exit(0)

    name = "parent" if os.fork() else "child"
    signal.signal(signal.SIGTERM, told)
    print(name, "is up", flush=True)
    while True:
        time.sleep(60)
    """
)


def test_a_stop_tells_main_processes_only_and_clears_away_what_they_leave(here: Path, start: Callable[..., Up]) -> None:
    (here / "family.py").write_text(PARENT_AND_CHILD)
    up = start("family: python family.py\n")
    up.says("is up", count=2)
    all_of_it = up.everything()
    assert len(all_of_it) == 4
    up.process.terminate()
    assert up.process.wait(10) == 0
    assert "parent was told" in up.log.read_text()
    assert "child was told" not in up.log.read_text()
    assert living(all_of_it) == []


def test_what_a_killed_main_process_leaves_ends_before_the_next_one_starts(
    here: Path, start: Callable[..., Up]
) -> None:
    (here / "family.py").write_text(PARENT_AND_CHILD)
    up = start("family: python family.py\n")
    up.says("is up", count=2)
    parent, child = up.everything()[2:]
    parent.kill()
    up.says("ended (SIGKILL), starts again in 1 s")
    # Killed, a process may take a moment to end.
    were_up = []

    def have_ended() -> bool:
        were_up.append(up.log.read_text().count("is up"))
        return living([parent, child]) == []

    until(have_ended, lambda: str(living([parent, child])))
    assert set(were_up[:-1]) <= {2}
    up.says("is up", count=4)


STUBBORN = """sh -c 'trap "" TERM; setsid sleep 120 & echo is up; while :; do sleep 0.1; done'"""


def test_what_does_not_end_is_killed_after_the_grace_wherever_it_hides(start: Callable[..., Up]) -> None:
    up = start(f"stubborn: {STUBBORN}\n", grace=1.0)
    up.says("is up")
    hidden = up.find("sleep 120")
    all_of_it = up.everything()
    up.process.terminate()
    up.says("did not end in time and is killed")
    assert up.process.wait(10) == 0
    assert hidden in all_of_it
    assert living(all_of_it) == []


def test_a_second_interrupt_ends_at_once(start: Callable[..., Up]) -> None:
    up = start(f"stubborn: {STUBBORN.replace('setsid sleep 120 & ', '')}\n", grace=60.0)
    up.says("is up")
    all_of_it = up.everything()
    up.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert up.process.poll() is None
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(5) == 0
    assert living(all_of_it) == []


def test_a_second_up_exits_with_the_reason_and_leaves_the_first_alone(here: Path, start: Callable[..., Up]) -> None:
    first = start("one: sh -c 'echo is up; sleep 60'\n")
    first.says("is up")
    second = subprocess.run(
        [sys.executable, "-c", UP, here, "1", "none"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "AlreadyRunningError: An orchestrator is already running on" in second.stderr
    assert first.process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["guard", "child of the guard", "both"])
def test_no_process_outlives_a_killed_parent(here: Path, start: Callable[..., Up], killed: str) -> None:
    (here / "trivial.py").write_text(CELERY_APPLICATION)
    worker = "celery --app trivial worker --concurrency 2 --loglevel INFO --without-gossip --without-mingle"
    up = start(f"worker: {worker}\n", grace=2.0, servers="servers")
    up.says("ready.")
    broker = json.loads((here / "data" / "running.json").read_text())["broker_url"]
    send = "import trivial; trivial.sleep.delay(90)"
    environment = {**os.environ, "BROKER": broker, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", send], env=environment, cwd=here, check=True)
    up.says("sleeping")

    all_of_it = up.everything()
    names = " ".join(each.name() for each in all_of_it)
    assert "postgres" in names
    assert "valkey-server" in names
    assert names.count("celery") == 3
    for parent in {"guard": all_of_it[:1], "child of the guard": all_of_it[1:2], "both": all_of_it[:2]}[killed]:
        parent.kill()
    up.process.wait(10)

    until(lambda: living(all_of_it) == [], lambda: f"the end of {living(all_of_it)}", seconds=10)
    (here / "Procfile").write_text("one: sh -c 'echo is up again; sleep 60'\n")
    start("one: sh -c 'echo is up again; sleep 60'\n", servers="servers").says("is up again")
