import re
import shlex
import subprocess
from pathlib import Path

import pytest

from orchestrator.embedded.procfile import Program, read_procfile
from orchestrator.errors import ProcfileError

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_the_page_shows_the_procfile_as_it_is() -> None:
    assert re.findall(r"```procfile\n(.*?)```", OPERATIONS, re.DOTALL) == [(ROOT / "Procfile").read_text()]


@pytest.mark.parametrize("name", ["worker", "web"])
def test_a_unit_for_systemd_runs_what_the_procfile_does(name: str) -> None:
    """As a shell reads the line when nothing is set; units name programs by path, and workers as themselves."""
    line = {program.name: program.command for program in read_procfile(ROOT / "Procfile")}[name]
    words = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\n' {line}"], env={}, capture_output=True, text=True, check=True
    ).stdout.split()
    unit = next(one for one in re.findall(r"```ini\n(.*?)```", OPERATIONS, re.DOTALL) if f"/{words[0]} " in one)
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))

    program, *options = shlex.split(settings["ExecStart"].replace(" --hostname %i@%%h", ""))
    assert [program.rpartition("/")[2], *options] == words
    assert (settings["KillSignal"], settings["KillMode"]) == ("SIGTERM", "mixed")
    assert "${" not in settings["ExecStart"]


def test_a_procfile_gives_its_programs_in_order(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("# what runs\n\nweb: gunicorn --bind 127.0.0.1:${PORT:-80} a.b:c\nsecond-worker:celery worker \n")
    assert read_procfile(file) == (
        Program("web", "gunicorn --bind 127.0.0.1:${PORT:-80} a.b:c"),
        Program("second-worker", "celery worker"),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("web gunicorn", "line 1: expected 'name: command', found 'web gunicorn'"),
        ("\nweb:", "line 2: expected 'name: command'"),
        ("web: a\nweb: b", "line 2: the name 'web' comes twice"),
        ("# nothing", "names no process"),
    ],
)
def test_a_mistake_in_a_procfile_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "Procfile"
    file.write_text(text)
    with pytest.raises(ProcfileError, match=sentence):
        read_procfile(file)


def test_a_missing_procfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcfileError, match=r"absent cannot be read: No such file"):
        read_procfile(tmp_path / "absent")
