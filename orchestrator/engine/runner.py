"""What a worker does with a bell: claim, resolve, run and record one step; in a burst, the steps after it, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import structlog

from orchestrator.engine.attempt import Attempt
from orchestrator.engine.bell import Ring
from orchestrator.engine.callbacks import CallbackSigner
from orchestrator.engine.claims import Claim, claim_step, give_back
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.record import Place
from orchestrator.engine.time_limits import hard_limit_error, process_time_limit_error
from orchestrator.engine.versions import VersionCache
from orchestrator.errors import LostAttemptsError, MissingCodeError
from orchestrator.language.catalog import Catalog
from orchestrator.language.transitions import FAILED, RUNNABLE, Transition
from orchestrator.language.vocabulary import ProcessStatus
from orchestrator.storage.engine_statements import SWITCHED_AT

log = structlog.get_logger(__name__)

_CODE_RECHECK_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """The settings that the engine knows: bytes of JSON a step may return, lost claims, seconds to wait for code, and
    what signs the routes of callbacks."""

    max_delta_bytes: int
    max_lost_attempts: int
    code_wait: float
    signer: CallbackSigner = field(default_factory=CallbackSigner)


@dataclass(frozen=True)
class StepReport:
    """What a bell led to.

    `failure` is the reason when the step failed, `ring` the next bell when there is one; `others` are those of children
    that were started, or of the parent that waited for this process.
    """

    process_id: UUID
    workflow: str
    step_key: str
    status: ProcessStatus
    failure: str | None
    ring: Ring | None
    others: tuple[Ring, ...] = ()

    @property
    def rings(self) -> list[Ring]:
        """All bells."""
        return [*self.others, *([] if self.ring is None else [self.ring])]


class StepRunner:
    """Runs steps, one for each bell, on one connection. Not for use by several threads."""

    def __init__(self, connection: WorkerConnection, catalog: Catalog, limits: Limits) -> None:
        self._connection = connection
        self._catalog = catalog
        self._limits = limits
        self._versions = VersionCache()

    def run(self, seq: int, task_id: str | None = None) -> StepReport | None:
        """Run the next step of this process, if there is one to run and nobody runs it.

        Args:
            seq: the process.
            task_id: the Celery task that runs it; kept with the step row.

        Returns:
            What happened, or None when there was nothing to do: a stale bell, a pause, a step that somebody else runs,
            or a result that was dropped because the claim was lost.
        """
        return next(self.burst(seq, task_id, _never), None)

    def burst(self, seq: int, task_id: str | None, goes_on: Callable[[], bool]) -> Iterator[StepReport]:
        """Run the next step of this process as `run` does, and the steps after it while `goes_on` says so.

        Each is claimed and recorded on its own. Where a step, its conditions and its arguments had nothing to do with
        the database but for its record, the next one is claimed by the same statement.

        Yields:
            What happened, step by step. `ring` is None while the burst goes on.
        """
        with self._no_lock_outlives_an_error():
            claim = claim_step(self._connection, seq)
        while claim is not None:
            with self._no_lock_outlives_an_error():
                step = self._step(claim, task_id, goes_on)
            if step is None:
                return
            report, claim = step
            again = claim is None and report.ring is not None and goes_on()
            # Who takes no more reports leaves a claim that nobody would go on with.
            with nullcontext() if claim is None else self._no_lock_outlives_an_error():
                yield replace(report, ring=None) if again or claim is not None else report
            if again:
                with self._no_lock_outlives_an_error():
                    claim = claim_step(self._connection, seq)

    @contextmanager
    def _no_lock_outlives_an_error(self) -> Iterator[None]:
        # The sweep rings for a claim only when nobody holds its lock.
        try:
            yield
        except BaseException:
            self._connection.discard()
            raise

    def _step(
        self, claim: Claim, task_id: str | None, goes_on: Callable[[], bool]
    ) -> tuple[StepReport, Claim | None] | None:
        version = self._versions.get(self._connection, claim.version_id)
        workflow = self._catalog.workflows.get(version.workflow_name)
        step = None if workflow is None else workflow.step(version.steps[claim.position].key)
        if step is None and self._may_wait_for_code(claim):
            give_back(self._connection, claim, min(_CODE_RECHECK_SECONDS, self._limits.code_wait))
            return None
        assignee, shown_name = ("SYSTEM", None) if step is None else (str(step.assignee), step.name)
        limit = None if workflow is None else workflow.time_limit
        expires_at = None if limit is None else claim.limit_since + timedelta(seconds=limit)
        left = None if expires_at is None else (expires_at - claim.claimed_at).total_seconds()
        place = Place(claim, version, assignee, task_id, shown_name, expires_at)
        attempt = Attempt(
            self._connection, place, self._limits.max_delta_bytes, self._limits.signer, self._catalog.workflows, goes_on
        )
        if step is None:
            transition = attempt.fail(MissingCodeError(self._missing_code(place)), None)
        elif claim.given_up:
            transition = attempt.fail(hard_limit_error(), None)
        elif claim.attempt > self._limits.max_lost_attempts:
            transition = attempt.fail(LostAttemptsError(self._lost_attempts()), None)
        elif limit is not None and left is not None and left <= 0:
            transition = attempt.fail(process_time_limit_error(limit), None)
        else:
            transition = attempt.run(step, process_seconds=limit, seconds_left=left)
        return None if transition is None else (_report(place, transition, attempt.rings), attempt.next)

    def _may_wait_for_code(self, claim: Claim) -> bool:
        since, patience = claim.waiting_since or claim.claimed_at, timedelta(seconds=self._limits.code_wait)
        if claim.claimed_at - since < patience:
            return True
        # While the engine is paused no worker can take it, with its code or without: it waits anew after that.
        row = self._connection.row(SWITCHED_AT)
        return row is not None and since < row[0] and claim.claimed_at - row[0] < patience

    def _missing_code(self, place: Place) -> str:
        version = place.version
        what = (
            f"has no step {place.key!r}"
            if version.workflow_name in self._catalog.workflows
            else "is not in the catalog of the workers"
        )
        return (
            f"workflow {version.workflow_name!r} (version {version.hash[:12]}) {what}, and no worker had it within "
            f"{self._limits.code_wait:g} seconds; deploy the code and resume the process"
        )

    def _lost_attempts(self) -> str:
        count = self._limits.max_lost_attempts
        return (
            f"the worker died in this step {count} times without a result; the step probably ends its process "
            "(memory, a crash in a library, os._exit)"
        )


def _never() -> bool:
    return False


def _report(place: Place, transition: Transition, others: tuple[Ring, ...]) -> StepReport:
    claim, process = place.claim, transition.process
    ring = None
    if process.status in RUNNABLE:
        key = place.next_key(process.position) or ""
        ring = Ring(claim.seq, claim.process_id, place.version.workflow_name, key, claim.target, claim.is_task)
    failed = process.status in FAILED or process.waiting_for == "retry"
    return StepReport(
        process_id=claim.process_id,
        workflow=place.version.workflow_name,
        step_key=place.key,
        status=process.status,
        failure=process.failed_reason if failed else None,
        ring=ring,
        others=others,
    )
