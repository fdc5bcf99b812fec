"""Step 5 of the protocol: one transaction that writes what a step ended in, its effects with it, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, assert_never
from uuid import uuid4

import orjson

from orchestrator.engine.claims import Claim
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.versions import PinnedVersion
from orchestrator.errors import LostClaimError, OutsideCommitError, ResultTooLargeError
from orchestrator.language.json_values import to_json
from orchestrator.language.outcomes import (
    Aborted,
    AwaitsCallback,
    Done,
    Failed,
    NeedsInput,
    Outcome,
    RetryLater,
    Skipped,
    StepError,
    WaitsForChildren,
    WaitUntil,
    storable_text,
)
from orchestrator.language.transitions import (
    ENDED,
    FAILED,
    RUNNABLE,
    WAITING,
    ProcessValue,
    Transition,
    after_outcome,
)
from orchestrator.language.vocabulary import ProcessStatus, Target
from orchestrator.storage.step_statements import (
    GIVE_BACK_HELD,
    RECORD,
    RECORD_ALONE,
    RECORD_END,
    RECORD_END_ALONE,
    UNLOCK,
    step_lock_key,
)

_LARGEST_DETAILS = 1_000_000
_NOTHING = "{}"


@dataclass(frozen=True)
class Place:
    """Which step of which process was claimed, and by which Celery task it runs."""

    claim: Claim
    version: PinnedVersion
    assignee: str
    task_id: str | None
    # What the present code calls the step; None when it has no such step.
    shown_name: str | None = None
    # When the process has to have ended; None when it may take as long as it takes.
    expires_at: datetime | None = None

    @property
    def key(self) -> str:
        """The key of the step."""
        return self.version.steps[self.claim.position].key

    @property
    def name(self) -> str:
        """The shown name of the step."""
        return self.shown_name or self.version.steps[self.claim.position].name

    @property
    def gives_back_on_failure(self) -> bool:
        """Whether its subscription need not stay taken when it fails."""
        return is_check(self.claim.target, self.version.takes_unchecked)

    def next_key(self, position: int) -> str | None:
        """The key of the step at this position, None behind the last."""
        return self.version.steps[position].key if position < len(self.version.steps) else None


def is_check(target: str, takes_unchecked: bool) -> bool:
    """Whether a process of this target only looks, so that nothing is half done when it fails.

    `takes_unchecked`: a step of it takes a subscription that may be out of sync.
    """
    return target == Target.VALIDATE or (target == Target.SYSTEM and takes_unchecked)


def transition_of(place: Place, outcome: Outcome) -> Transition:
    """What this outcome makes of the process."""
    running = ProcessValue(ProcessStatus.RUNNING, place.claim.position, len(place.version.steps))
    return after_outcome(running, outcome, datetime.now(UTC))


def write_record(
    connection: WorkerConnection, place: Place, outcome: Outcome, transition: Transition, max_delta_bytes: int
) -> None:
    """Write the step row and move the process; the caller has a transaction open, and ends it with `commit_record`.

    Raises:
        LostClaimError: the claim is not ours any more; the caller rolls back.
        OutsideCommitError: the step ended its transaction itself.
        UnstorableValueError, ResultTooLargeError: the result cannot be stored.
        psycopg.Error: the database refused, or went away.
    """
    claim = place.claim
    values = _values(place, outcome, transition, max_delta_bytes)
    if _gives_back(place, transition):
        held = {"seq": claim.seq, "process_id": claim.process_id, "key": place.key, "changed_by": claim.created_by}
        connection.row(GIVE_BACK_HELD, held)
    row = connection.row(RECORD_END if transition.process.status in ENDED else RECORD, values)
    if row is None:
        raise LostClaimError
    session = connection.opened_session
    if session is not None and session.began_at is not None and session.began_at != row[0]:
        raise OutsideCommitError


def commit_record(connection: WorkerConnection, claim: Claim) -> None:
    """Let go of the lock and commit. In this order: the lock of the row covers the gap, so that no bell finds the step
    taken by somebody who has finished.

    Raises:
        psycopg.Error: the database refused, or went away.
    """
    connection.row(UNLOCK, {"key": step_lock_key(claim.seq)})
    connection.commit()


def is_whole(connection: WorkerConnection, place: Place, outcome: Outcome, transition: Transition) -> bool:
    """Whether the record is all that this step does in the database: `record_alone` writes it."""
    ends_child = transition.process.status in ENDED and place.claim.parent_seq is not None
    starts_children = isinstance(outcome, WaitsForChildren)
    return connection.untouched and not (ends_child or starts_children or _gives_back(place, transition))


def record_alone(
    connection: WorkerConnection,
    place: Place,
    outcome: Outcome,
    transition: Transition,
    max_delta_bytes: int,
    *,
    goes_on: bool,
) -> Claim | None:
    """Write the step row, move the process and commit, in one statement, which lets go of the lock or claims the next
    step.

    Args:
        connection: of the worker.
        place: the step.
        outcome: what it ended in.
        transition: what that makes of the process.
        max_delta_bytes: of JSON that the result may have.
        goes_on: this worker wants the next step, if there is one.

    Returns:
        The claim of the next step; None when nobody has it: it was not wanted, there is none, or there is a pause.

    Raises:
        LostClaimError: the claim is not ours any more; nothing was written, and the lock is still held.
        UnstorableValueError, ResultTooLargeError: the result cannot be stored.
        psycopg.Error: the database refused, or went away.
    """
    claim, process = place.claim, transition.process
    next_claim = uuid4() if goes_on and process.status in RUNNABLE else None
    values = _values(place, outcome, transition, max_delta_bytes)
    more = {"next_claim": next_claim, "lock": step_lock_key(claim.seq)}
    statement = RECORD_END_ALONE if process.status in ENDED else RECORD_ALONE
    row = connection.row_alone(statement, {**values, **more})
    if row is None:
        raise LostClaimError
    claimed, claimed_at, limit_since, state, _ = row
    if next_claim is None or not claimed:
        return None
    return replace(
        claim,
        token=next_claim,
        position=process.position,
        state=state,
        attempt=1,
        claimed_at=claimed_at,
        waiting_since=None,
        limit_since=limit_since,
        given_up=False,
    )


def _gives_back(place: Place, transition: Transition) -> bool:
    return place.gives_back_on_failure and transition.process.status in FAILED | {ProcessStatus.ABORTED}


def _values(place: Place, outcome: Outcome, transition: Transition, max_delta_bytes: int) -> dict[str, Any]:
    claim = place.claim
    delta, removed = _changes(outcome, max_delta_bytes)
    process = transition.process
    reason = process.failed_reason
    return {
        "seq": claim.seq,
        "claim": claim.token,
        "claimed_at": claim.claimed_at,
        "status": process.status,
        "waiting_for": process.waiting_for,
        "due_at": process.due_at,
        "expires_at": place.expires_at if process.status in WAITING else None,
        "counts_anew": process.status in FAILED,
        "position": claim.position,
        "next_position": process.position,
        "next_key": place.next_key(process.position),
        "generation": claim.generation,
        "key": place.key,
        "name": place.name,
        "assignee": place.assignee if process.status is ProcessStatus.SUSPENDED else "SYSTEM",
        "changes": delta != _NOTHING or bool(removed),
        "removed": list(removed),
        "delta": delta,
        "failed_reason": None if reason is None else f"Step {place.name!r} ({place.key}): {reason}",
        "traceback": process.traceback,
        "step_status": transition.step_status,
        "attempt": claim.attempt,
        "error": _error(outcome),
        "created_by": claim.created_by,
        "task_id": place.task_id,
    }


def _changes(outcome: Outcome, max_delta_bytes: int) -> tuple[str, tuple[str, ...]]:
    if not isinstance(outcome, Done):
        return _NOTHING, ()
    text = orjson.dumps({to_json(key, "a key"): to_json(value, str(key)) for key, value in outcome.delta.items()})
    if len(text) > max_delta_bytes:
        largest = max(outcome.delta, key=lambda key: len(orjson.dumps(to_json(outcome.delta[key], key))))
        raise ResultTooLargeError(
            f"the result has {len(text)} bytes of JSON, the limit is {max_delta_bytes} (most of it in {largest!r})"
        )
    return text.decode(), outcome.removed


def _error(outcome: Outcome) -> str | None:
    match outcome:
        case Failed(error=error) | RetryLater(error=error):
            return orjson.dumps(_storable_error(error)).decode()
        case Done() | Skipped() | NeedsInput() | AwaitsCallback() | WaitUntil() | WaitsForChildren() | Aborted():
            return None
        case _:
            assert_never(outcome)


def _storable_error(error: StepError) -> dict[str, Any]:
    described = error.as_json()
    try:
        details = to_json(described.get("details"), "details")
        size = len(orjson.dumps(details))
        described["details"] = details if size <= _LARGEST_DETAILS else f"(left out: {size} bytes of JSON)"
    except Exception as refused:  # noqa: BLE001 - details are the author's objects; the failure is recorded anyway
        described["details"] = storable_text(f"(left out: {refused})")
    return described
