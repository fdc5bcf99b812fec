from pathlib import Path

import pytest

from orchestrator.embedded.procfile import Program, read_procfile
from orchestrator.errors import ProcfileError


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
