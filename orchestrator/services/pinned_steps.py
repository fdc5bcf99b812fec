"""The step list that a process is pinned to, and the code that is deployed for it."""

from __future__ import annotations

from orchestrator.errors import NotDeployedError
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import Step
from orchestrator.language.workflow_definition import Workflow
from orchestrator.storage.process_statements import ProcessRow


def deployed_workflow(catalog: Catalog, row: ProcessRow) -> Workflow:
    """The code of the workflow that a process runs.

    Raises:
        NotDeployedError: it is not in the catalog here.
    """
    workflow = catalog.workflows.get(row.workflow_name)
    if workflow is None:
        raise NotDeployedError(
            f"the code of the workflow {row.workflow_name!r} is not in ORCHESTRATOR_CATALOG here; deploy it first"
        )
    return workflow


def steps_up_to_now(workflow: Workflow, row: ProcessRow) -> tuple[Step, ...]:
    """The steps of a process up to the one that it stands at, as far as their code is deployed."""
    found = (workflow.step(step["key"]) for step in row.steps[: row.position + 1])
    return tuple(step for step in found if step is not None)


def present_step(workflow: Workflow, row: ProcessRow) -> Step:
    """The step that a process stands at.

    Raises:
        NotDeployedError: the deployed workflow has no such step.
    """
    step = None if row.step_key is None else workflow.step(row.step_key)
    if step is None:
        raise NotDeployedError(
            f"the workflow {workflow.name!r} that is deployed here has no step {row.step_key!r}, at which the process "
            "stands; deploy code that has it"
        )
    return step
