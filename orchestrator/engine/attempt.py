"""Steps 3 to 5 of the protocol for one claim: inject, run, record, and what to do when something of it breaks."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import assert_never

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from orchestrator.domain.loading import SubscriptionLoader
from orchestrator.domain.saving import contains_models, save_models
from orchestrator.engine.bell import Ring
from orchestrator.engine.callbacks import CallbackSigner, Route, open_route
from orchestrator.engine.children import follow_record
from orchestrator.engine.claims import Claim, release
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.done_by_engine import outcome_of_engine
from orchestrator.engine.failures import Verdict, judge
from orchestrator.engine.lost_connection import Record, record_after_loss
from orchestrator.engine.record import Place, commit_record, is_whole, record_alone, transition_of, write_record
from orchestrator.engine.time_limits import TimeLimit, call_within, limit_of
from orchestrator.errors import LostClaimError, ProcessTimeLimitError, StepTimeLimitError
from orchestrator.language.actions import AwaitCallback, Call, Children
from orchestrator.language.calling import Focus, Prepared, focus_on, prepare
from orchestrator.language.outcomes import Done, Failed, Outcome, RetryLater, Skipped
from orchestrator.language.step_list import Step
from orchestrator.language.transitions import Transition
from orchestrator.language.workflow_definition import Workflow
from orchestrator.storage.session import Origin, current_session
from orchestrator.storage.step_statements import COUNT_RETRIES, SET_DEADLINE

log = structlog.get_logger(__name__)

_TRIES = 3


class Attempt:
    """One claim on its way to a record."""

    def __init__(
        self,
        connection: WorkerConnection,
        place: Place,
        max_delta_bytes: int,
        signer: CallbackSigner,
        workflows: Mapping[str, Workflow],
        goes_on: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._place = place
        self._max_delta_bytes = max_delta_bytes
        self._signer = signer
        self._workflows = workflows
        self._goes_on = goes_on
        # The next step, if it was claimed with the record of this one.
        self.next: Claim | None = None
        # Whom to ring for after the record, besides the process itself.
        self.rings: tuple[Ring, ...] = ()
        self._route: Route | None = None
        claim = place.claim
        self._origin = Origin(claim.created_by, claim.process_id, claim.seq, place.key)
        # An outcome that can be recorded again without running the step again: it was reached without db.session,
        # and has no models (a model that was saved once takes itself for stored, also when the commit was lost).
        self._in_hand: Outcome | None = None
        self._transition: Transition | None = None

    def run(
        self, step: Step, *, process_seconds: float | None = None, seconds_left: float | None = None
    ) -> Transition | None:
        """Run the step and record what it ended in; None when nothing was recorded (the sweep will see to it).

        Args:
            step: what to run.
            process_seconds: the time limit of the process, None when it has none.
            seconds_left: what is left of it.
        """
        limit = limit_of(step.time_limit, process_seconds, seconds_left)
        error: BaseException = LostClaimError()
        for _ in range(_TRIES):
            try:
                self._run_and_record(step, limit)
            except LostClaimError:
                self._note_drop()
                return None
            except BaseException as raised:
                if (
                    isinstance(raised, KeyboardInterrupt)
                    and signal.getsignal(signal.SIGINT) == signal.default_int_handler
                ):
                    raise  # somebody at a keyboard; worker children ignore the signal, there it is the author's own
                if limit is not None and raised is limit.error:
                    return self._fail_late(raised, step)
                if self._connection.lost:
                    return self._after_loss()
                error = raised
                if not _is_collision(raised):
                    break
            else:
                return self._transition
        return self.fail(error, step)

    def fail(self, error: BaseException, step: Step | None) -> Transition | None:
        """Record that the step failed, or that it will be tried again; its effects are rolled back already."""
        verdict = self._judge(error)
        claim = self._place.claim
        log.info("step failed", step=self._place.key, process_id=str(claim.process_id), error=verdict.error.message)
        try:
            outcome = self._failure_outcome(verdict, error, step)
            self._in_hand = outcome
            with self._connection.transaction():
                self._record(outcome)
        except LostClaimError:
            self._note_drop()
            return None
        except psycopg.Error:
            if not self._connection.lost:
                raise
            return self._after_loss()
        return self._transition

    def _fail_late(self, error: BaseException, step: Step) -> Transition | None:
        """Record a failure that struck in the middle of whatever the step did, with the connection too."""
        if not self._connection.lost:
            return self.fail(error, step)

        def record(provide: Callable[[], Session]) -> None:
            self._record_again(self._failure_outcome(self._judge(error), error, step), provide)

        return self._after_loss(record)

    def _judge(self, error: BaseException) -> Verdict:
        verdict = judge(error, is_task=self._place.claim.is_task)
        return verdict if self._route is None else replace(verdict, error=self._route.hide_in(verdict.error))

    def _run_and_record(self, step: Step, limit: TimeLimit | None) -> None:
        prepared = None if self._in_hand is not None else self._prepare(step)
        if isinstance(prepared, Prepared) and limit is not None:
            self._set_deadline(limit)
        with self._connection.transaction() as provide, current_session(provide, self._origin):
            outcome = self._in_hand if prepared is None else self._outcome(step, prepared, limit)
            assert outcome is not None
            session = self._connection.opened_session
            if session is not None:
                session.flush()
            elif not (isinstance(outcome, Done) and contains_models(outcome.delta)) and not isinstance(
                step.action, AwaitCallback | Children
            ):
                self._in_hand = outcome
            self._record(outcome)

    def _prepare(self, step: Step) -> Prepared | Focus | Skipped:
        claim = self._place.claim
        if not isinstance(step.action, Call):
            return focus_on(step, claim.state)
        extras = {
            "process_id": claim.process_id,
            "idempotency_key": f"{claim.process_id}:{self._place.key}:{claim.generation}",
        }
        # Models are loaded in a transaction that ends before the function is called: no idle transaction during a
        # slow call to the outside.
        handed = self._handed(step.action)
        with self._connection.transaction() as provide, current_session(provide, self._origin):
            return prepare(step, claim.state, SubscriptionLoader(), extras, handed)

    def _handed(self, action: Call) -> dict[str, object]:
        if action.callback_route_key is None:
            return {}
        self._route = open_route(self._connection, self._place, self._signer)
        return {action.callback_route_key: self._route.path}

    def _set_deadline(self, limit: TimeLimit) -> None:
        claim = self._place.claim
        values = {"seq": claim.seq, "claim": claim.token, "seconds": limit.hard_seconds}
        if not self._connection.affected(SET_DEADLINE, values):
            raise LostClaimError

    def _outcome(self, step: Step, prepared: Prepared | Focus | Skipped, limit: TimeLimit | None) -> Outcome:
        match prepared:
            case Skipped():
                return prepared
            case Prepared():
                return self._call(prepared, limit)
            case Focus():
                return outcome_of_engine(self._connection, self._place, step.action, prepared)
            case _:
                assert_never(prepared)

    def _call(self, prepared: Prepared, limit: TimeLimit | None) -> Outcome:
        try:
            return call_within(limit, prepared)
        except (StepTimeLimitError, ProcessTimeLimitError):
            # What struck in the middle of a statement leaves a connection that nobody can trust.
            if self._connection.opened_session is not None:
                self._connection.discard()
            raise

    def _record(self, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            outcome = replace(outcome, delta=save_models(outcome.delta))
            if self._route is not None:
                self._route.refuse_in(outcome.delta, f"Step {self._place.name!r} (key {self._place.key})")
        # Known before the commit: whether that was answered may have to be found out afterwards.
        self._transition = transition_of(self._place, outcome)
        if is_whole(self._connection, self._place, outcome, self._transition):
            self.next = record_alone(
                self._connection,
                self._place,
                outcome,
                self._transition,
                self._max_delta_bytes,
                # What a condition or a lens may have left on the session, a lock, goes with a claim of its own.
                goes_on=self._connection.is_afresh and self._goes_on(),
            )
            return
        write_record(self._connection, self._place, outcome, self._transition, self._max_delta_bytes)
        self.rings = follow_record(
            self._connection,
            self._place,
            outcome,
            self._transition.process.status,
            self._workflows,
            self._max_delta_bytes,
        )
        commit_record(self._connection, self._place.claim)

    def _failure_outcome(self, verdict: Verdict, error: BaseException, step: Step | None) -> Outcome:
        retry = None if step is None else step.retry
        if retry is None or isinstance(error, ProcessTimeLimitError):
            return Failed(verdict.error, verdict.status)
        claim = self._place.claim
        place = {"seq": claim.seq, "position": claim.position, "generation": claim.generation}
        row = self._connection.row(COUNT_RETRIES, place)
        tries = 1 + (row[0] if row is not None else 0)
        if not retry.again(error, tries):
            return Failed(verdict.error, verdict.status)
        return RetryLater(verdict.error, retry.pause(tries, random.random()))

    def _after_loss(self, record: Record | None = None) -> Transition | None:
        if record is None and self._in_hand is not None:
            record = partial(self._record_again, self._in_hand)
        if not record_after_loss(self._connection, self._place.claim, record):
            self._note_drop()
            return None
        return self._transition

    def _record_again(self, outcome: Outcome, provide: Callable[[], Session]) -> None:
        with current_session(provide, self._origin):
            self._record(outcome)

    def _note_drop(self) -> None:
        claim = self._place.claim
        log.warning("result dropped: the claim or the connection was lost", process_id=str(claim.process_id))
        if not self._connection.lost:
            release(self._connection, claim.seq)


def _is_collision(error: BaseException) -> bool:
    """Whether PostgreSQL asks to do it again: a serialization failure or a deadlock."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected)
