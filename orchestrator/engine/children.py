"""Processes that start others and wait until all of them have ended, as the record of a step has to do with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import orjson
from uuid_utils.compat import uuid7

from orchestrator.engine.bell import Ring
from orchestrator.engine.claims import Claim
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.record import Place
from orchestrator.errors import (
    AuthoringError,
    ChildAbortedError,
    LostClaimError,
    ResultTooLargeError,
    UnknownWorkflowError,
)
from orchestrator.language.actions import Children
from orchestrator.language.json_values import copy_json, to_json
from orchestrator.language.outcomes import Child, Done, Outcome, WaitsForChildren
from orchestrator.language.transitions import ENDED
from orchestrator.language.vocabulary import ProcessStatus, State
from orchestrator.language.workflow_definition import Workflow
from orchestrator.storage.children_statements import COUNT_CHILDREN, END_WAIT, HAVE_STARTED, LOCK_PARENT, START_CHILD
from orchestrator.storage.step_statements import LOCK_PROCESS


def wait_for_children(
    connection: WorkerConnection, place: Place, action: Children, state: State
) -> Done | WaitsForChildren:
    """The wait for the children of a step, which starts them; or its end, when all of them have ended. In the
    transaction of the record, which must follow at once.

    A child that failed can be resumed: it has not ended.

    Raises:
        LostClaimError: the claim is not ours any more.
        ChildAbortedError: all have ended, and some were aborted.
        AuthoringError: two children have one name.
        Exception: what the author's function raises.
    """
    claim = place.claim
    here = {"seq": claim.seq, "position": claim.position, "generation": claim.generation, "key": place.key}
    if connection.row(HAVE_STARTED, here) is None:
        children = tuple(action.children(copy_json(state)))
        twice = [branch for branch, count in Counter(child.branch for child in children).items() if count > 1]
        if twice:
            raise AuthoringError(f"step {place.name!r} ({place.key}) starts more than one child called {twice[0]!r}")
        return WaitsForChildren(children) if children else Done({})
    # A child that ends locks this row first, too: it is counted in the next statement, or finds us waiting.
    ours = connection.row(LOCK_PROCESS, {"seq": claim.seq, "claim": claim.token})
    if ours is None or not ours[0]:
        raise LostClaimError
    row = connection.row(COUNT_CHILDREN, here)
    under_way, aborted = row if row is not None else (0, None)
    if under_way:
        return WaitsForChildren()
    if aborted:
        raise ChildAbortedError(
            f"aborted: {', '.join(sorted(aborted))}; skip this step to go on without, or run again from it, which "
            "starts all of its children anew"
        )
    return Done({})


def follow_record(
    connection: WorkerConnection,
    place: Place,
    outcome: Outcome,
    status: ProcessStatus,
    workflows: Mapping[str, Workflow],
    max_state_bytes: int,
) -> tuple[Ring, ...]:
    """What follows for children and parent from the record of a step, in its transaction: whom to ring for after it.

    Args:
        connection: of the worker.
        place: the step that was recorded.
        outcome: what it ended in.
        status: what its process is now.
        workflows: of the catalog, by name.
        max_state_bytes: of JSON with which a child may start.

    Raises:
        UnknownWorkflowError, UnstorableValueError, ResultTooLargeError: a child cannot be started.
    """
    if isinstance(outcome, WaitsForChildren):
        return tuple(_start(connection, place, child, workflows, max_state_bytes) for child in outcome.children)
    parent = end_wait_of_parent(connection, place.claim) if status in ENDED else None
    return () if parent is None else (parent,)


def end_wait_of_parent(connection: WorkerConnection, claim: Claim) -> Ring | None:
    """Let the parent of a child that has just ended go on, if that was the last one; the bell that it needs."""
    if claim.parent_seq is None or connection.row(LOCK_PARENT, {"seq": claim.parent_seq}) is None:
        return None
    row = connection.row(END_WAIT, {"seq": claim.seq})
    return None if row is None else Ring(*row)


def _start(
    connection: WorkerConnection,
    place: Place,
    child: Child,
    workflows: Mapping[str, Workflow],
    max_state_bytes: int,
) -> Ring:
    claim, workflow = place.claim, workflows.get(child.workflow)
    if workflow is None or not workflow.steps:
        raise UnknownWorkflowError(f"the catalog has no workflow {child.workflow!r} with steps, to start as a child")
    process_id = uuid7()
    state = {
        **to_json(child.state, child.branch),
        "process_id": str(process_id),
        "reporter": claim.created_by,
        "workflow_name": workflow.name,
        "workflow_target": str(workflow.target),
    }
    text = orjson.dumps(state)
    if len(text) > max_state_bytes:
        raise ResultTooLargeError(
            f"the child {child.branch!r} starts with {len(text)} bytes of JSON, the limit is {max_state_bytes}"
        )
    row = connection.row(
        START_CHILD,
        {
            "workflow_name": workflow.name,
            "hash": workflow.version,
            "steps": orjson.dumps(workflow.pinned).decode(),
            "process_id": process_id,
            "step_key": workflow.keys[0],
            "state": text.decode(),
            "created_by": claim.created_by,
            "parent_seq": claim.seq,
            "parent_position": claim.position,
            "parent_generation": claim.generation,
            "branch": child.branch,
        },
    )
    if row is None:
        raise UnknownWorkflowError(f"the database has no workflow {child.workflow!r}: a migration makes it known")
    return Ring(*row)
