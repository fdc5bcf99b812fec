"""The workflows that the pages show can be started: each form in their Python opens, and takes an answer."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from orchestrator import Catalog, StepList, Target, begin, task
from orchestrator.domain.registry import use_products
from orchestrator.services.builtin_workflows import register_builtin
from orchestrator.services.catalog_choices import Choices
from orchestrator.services.catalog_revision import write_revision
from orchestrator.storage.migrating import Migrations
from orchestrator.testing import Workbench
from orchestrator.testing.servers import BenchServer
from orchestrator.testing.workbench import open_workbench
from tests.seed.usage_maps import empty_usage_maps
from tests.unit.test_documentation import ROOT, python_of


@pytest.fixture
def package(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The Python of a page as a catalog package."""
    name = f"page_{uuid4().hex[:8]}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(python_of(ROOT / request.param))
    monkeypatch.syspath_prepend(tmp_path)
    with empty_usage_maps():
        yield importlib.import_module(name)
    del sys.modules[name]


@pytest.fixture
def bench(orchestrator_server: BenchServer, package: ModuleType) -> Iterator[Workbench]:
    """A workbench whose database has the revision that is written for the page's code."""
    catalog = Catalog()
    package.register(catalog)
    register_builtin(catalog)
    use_products(catalog.products)
    with orchestrator_server.database(orchestrator_server.template()) as url:
        write_revision(Migrations(url, [package.__name__]), catalog, "What the page shows", Choices())
    with open_workbench(orchestrator_server, package.__name__) as made:
        yield made


@pytest.mark.parametrize("package", ["README.md", "docs/authoring.md"], indirect=True)
def test_every_form_of_a_page_opens(package: ModuleType, bench: Workbench) -> None:
    line = bench.start("create_access", product="Internet Access", answers=[{"customer": "university"}])
    line.expect("completed")

    with_form = [one for one in bench.context.catalog.workflows.values() if one.name in vars(package)]
    with_form = [one for one in with_form if one.initial_input_form is not None]
    assert with_form
    for one in with_form:
        if one.target is Target.CREATE:
            form = bench.form(one.name, product="Internet Access")
        else:
            form = bench.form(one.name, subscription=line.subscription)
        assert form.page.fields, one.name
    alone = [function for function in vars(package).values() if inspect.isgeneratorfunction(function)]
    for function in alone:
        if function not in [one.initial_input_form for one in with_form]:
            bench.add(task("Asks", initial_input_form=function)(steps_named(f"asks_{function.__name__}")))
            assert bench.form(f"asks_{function.__name__}").page.fields


@pytest.mark.parametrize("package", ["docs/authoring.md"], indirect=True)
def test_the_modify_workflow_of_the_page_runs_to_its_end(bench: Workbench) -> None:
    line = bench.start("create_access", product="Internet Access", answers=[{"customer": "university"}]).subscription
    assert line.values["access"]["vlan"] == 101

    form = bench.form("modify_access", subscription=line)
    assert form.page.defaults == {"vlan": 101}
    form.answer(vlan=200).answer(confirmed=True)
    process = form.submit().expect("suspended")
    assert process.form().page.schema["title"] == "When to change to VLAN 200?"
    process.form().answer(ticket="CHG-1").submit().expect("completed")

    assert line.values["access"]["vlan"] == 200


def steps_named(name: str) -> Callable[[], StepList]:
    def body() -> StepList:
        return begin

    body.__name__ = name
    return body
