"""The documentation is true: its code runs, and its tables say what the code says."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import orchestrator
from orchestrator.api.application import openapi_document
from orchestrator.api.problems import all_problems
from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.main import build_group
from orchestrator.domain import usage
from orchestrator.language.vocabulary import StepStatus
from orchestrator.migrations.parameters import CatalogParameters, read
from orchestrator.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Made by `orchestrator up` out of host and port, for the Procfile; nobody sets it.
INTERNAL = {"ORCHESTRATOR_BIND"}
# Read by the workbench alone.
OF_TESTS = {"ORCHESTRATOR_TEST_DATABASE_URL"}

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_VARIABLE = re.compile(r"ORCHESTRATOR_[A-Z][A-Z_]*[A-Z]")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_python() -> list[Path]:
    # The code of the tutorial is that of several files, which its own test writes and runs.
    pages = [page for page in PAGES if page.name != "tutorial.md"]
    return [page for page in pages if any(block["language"] == "python" for block in _BLOCK.finditer(page.read_text()))]


def python_of(page: Path) -> str:
    """The Python of a page, each line where it stands on the page."""
    text = page.read_text()
    lines = [""] * (text.count("\n") + 1)
    for block in _BLOCK.finditer(text):
        if block["language"] == "python":
            first = text.count("\n", 0, block.start("text"))
            lines[first : first + block["text"].count("\n")] = block["text"].splitlines()
    return "\n".join(lines) + "\n"


def load(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the Python of a page as a module, so that annotations and sources are found as in a real one."""
    file = folder / f"page_{page.stem}.py".lower()
    file.write_text(python_of(page))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, file.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def usage_maps() -> Iterator[None]:
    """Pages change them, as authors do."""
    usable, blocked = dict(usage.WF_USABLE_MAP), dict(usage.WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS)
    out_of_sync = list(usage.WF_USABLE_WHILE_OUT_OF_SYNC)
    yield
    for present, kept in ((usage.WF_USABLE_MAP, usable), (usage.WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS, blocked)):
        present.clear()
        present.update(kept)  # type: ignore[arg-type]
    usage.WF_USABLE_WHILE_OUT_OF_SYNC[:] = out_of_sync


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a line that starts like this, without its head."""
    lines = (ROOT / page).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(heading))
    first = next(number for number in range(start, len(lines)) if lines[number].startswith("|"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    assert rows, f"{page} has no table after {heading!r}"
    return rows


@pytest.mark.parametrize("page", with_python(), ids=name)
@pytest.mark.usefixtures("usage_maps")
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(page, tmp_path, monkeypatch)

    catalog = getattr(module, "CATALOG", None)
    if catalog is not None:
        read(CatalogParameters, catalog, {})


def test_the_pages_that_show_how_to_write_workflows_have_python() -> None:
    assert {"README.md", "docs/authoring.md"} <= {name(page) for page in with_python()}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.finditer(_BLOCK.sub("", page.read_text())):
        target, _, anchor = link["target"].partition("#")
        if target.startswith(("http:", "https:")):
            continue
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or (anchor and anchor not in anchors_of(place)):
            broken.append(link["target"])
    assert broken == []


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def known_variables() -> set[str]:
    settings = {f"ORCHESTRATOR_{field.upper()}" for field in Settings.model_fields}
    return settings | set(_VARIABLE.findall((ROOT / "Procfile").read_text())) - INTERNAL


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_names_no_setting_that_is_not_there(page: Path) -> None:
    assert set(_VARIABLE.findall(page.read_text())) - known_variables() - OF_TESTS - INTERNAL == set()


def test_every_setting_is_explained_with_its_default() -> None:
    rows = {row[0].strip("`"): row[1] for row in table("docs/operations.md", "## Settings")}

    assert set(rows) == known_variables()
    for field, info in Settings.model_fields.items():
        default = info.get_default(call_default_factory=True)
        wanted = "not set" if default in (None, "") else str(default).removesuffix(".0").replace("'", '"').lower()
        assert rows[f"ORCHESTRATOR_{field.upper()}"].strip("`").lower() == wanted, field


def test_the_table_of_problems_is_that_of_the_api() -> None:
    shown = {(row[0].strip("`"), int(row[1])) for row in table("docs/api.md", "## Errors")}

    assert shown == {(problem.type, problem.status) for problem in all_problems()}


def test_the_table_of_endpoints_is_that_of_the_api() -> None:
    document = openapi_document()
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }

    rows = table("docs/api.md", "## Endpoints")
    shown = {(row[0].strip("`"), re.sub(r"\{\w+\}", "{}", row[1].strip("`"))) for row in rows}
    assert shown == served


def test_the_table_of_exit_statuses_is_that_of_the_command_line() -> None:
    shown = {int(row[0]) for row in table("docs/operations.md", "### Exit statuses")}

    assert shown == {status.value for status in ExitStatus}


def commands_of(page: Path) -> Iterator[list[str]]:
    """The words of each `orchestrator ...` in shell blocks and in code inside of sentences."""
    text = page.read_text()
    shell = [block["text"] for block in _BLOCK.finditer(text) if block["language"] in ("sh", "console")]
    inline = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    for line in [line.removeprefix("$ ") for block in shell for line in block.splitlines()] + inline:
        words = line.split("#")[0].split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if len(words) > 1 and words[0].rpartition("/")[2] == "orchestrator":
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_are_there(page: Path) -> None:
    for words in commands_of(page):
        command: click.Command = build_group(lambda: pytest.fail("no command is run"))
        for number, word in enumerate(words):
            if word.startswith("-"):
                options = {option for one in command.params for option in one.opts + one.secondary_opts}
                assert word.split("=")[0] in options | {"--help", "-h"}, f"{' '.join(words)}: no option {word}"
            elif isinstance(command, click.Group) and not word.startswith(("{", "...", "…")):
                context = click.Context(command)
                found = command.get_command(context, word)
                assert found is not None, f"{' '.join(words)}: no command {word!r} (word {number + 1})"
                command = found


def options_of(command: click.Command) -> set[str]:
    below = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
    found = {option for one in command.params for option in one.opts + one.secondary_opts}
    for word in below:
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), word)
        assert inner is not None
        found |= options_of(inner)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_options_that_are_named_alone_belong_to_some_command(page: Path) -> None:
    known = options_of(build_group(lambda: pytest.fail("no command is run"))) | {"--help"}

    named = re.findall(r"`(--[\w-]+)[^`\n]*`", _BLOCK.sub("", page.read_text()))
    assert set(named) - known == set()


def test_the_statuses_of_step_rows_are_those_of_the_code() -> None:
    design = (ROOT / "docs" / "design.md").read_text()
    sentence = design[design.index("Step rows have the statuses") :].split(";")[0]

    assert set(re.findall(r"`(\w+)`", sentence)) == {status.value for status in StepStatus}


def test_every_name_that_authors_import_is_explained() -> None:
    authoring = (ROOT / "docs" / "authoring.md").read_text()

    assert [one for one in orchestrator.__all__ if not re.search(rf"\b{one}\b", authoring)] == []


def test_a_package_that_is_built_as_the_page_shows_has_its_revisions(tmp_path: Path) -> None:
    find_packages = pytest.importorskip("setuptools").find_namespace_packages
    blocks = _BLOCK.finditer((ROOT / "docs" / "authoring.md").read_text())
    (shown,) = [block["text"] for block in blocks if block["language"] == "toml"]
    (tmp_path / "my_workflows" / "migrations").mkdir(parents=True)

    found = find_packages(str(tmp_path), **tomllib.loads(shown)["tool"]["setuptools"]["packages"]["find"])
    assert found == ["my_workflows", "my_workflows.migrations"]
