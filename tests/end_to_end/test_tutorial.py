"""The tutorial, from a built wheel in an empty folder, with nothing else at hand than what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.demo import free_ports
from tests.end_to_end.tutorial_on_test import Reader, blocks_of, missing_line

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, built from a copy of this clone."""
    copy, wheels = tmp_path_factory.mktemp("clone") / "clone", tmp_path_factory.mktemp("wheels")
    left_out = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=left_out)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(copy)]
    subprocess.run(build, check=True, timeout=300)
    return wheels


@pytest.mark.slow
def test_who_follows_the_tutorial_arrives(tmp_path: Path, wheels: Path) -> None:
    kept = ("HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
    kept += tuple(name for name in os.environ if name.startswith("PIP_"))
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.symlink_to(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    web, flower = free_ports(2)
    environment = {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "PIP_FIND_LINKS": f"{wheels} {os.environ.get('PIP_FIND_LINKS', '')}".strip(),
        # Installed all the same, and sooner.
        "PIP_COMPILE": "no",
        "ORCHESTRATOR_PORT": str(web),
        "ORCHESTRATOR_FLOWER_PORT": str(flower),
    }
    (tmp_path / "empty").mkdir()
    reader = Reader(tmp_path / "empty", environment)
    try:
        for block in blocks_of(PAGE):
            reader.follow(block.on_port(8080, web))
    finally:
        reader.close()
    assert len(reader.terminals) == 2
    assert (tmp_path / "empty" / "create_fiber.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("shown", "said", "missing"),
    [
        (["one", "two"], "one\ntwo\n", None),
        (["one"], "one\ntwo\n", "an end before 'two'"),
        (["one", "..."], "one\ntwo\n", None),
        (["..."], "", None),
        (["...", "two"], "one\ntwo\n", None),
        (["two"], "one\ntwo\n", "two"),
        (["a 5 ms b", "at ...c"], "a  123 ms b\nat b/c", None),
        (["5"], "6", "5"),
        (["4 passed in 3.12s"], "4 passed in 78.48s (0:01:18)", None),
        ([], "Traceback", "an end before 'Traceback'"),
    ],
)
def test_the_comparison_sees_what_differs(shown: list[str], said: str, missing: str | None) -> None:
    assert missing_line(shown, said) == missing
