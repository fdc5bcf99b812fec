"""A process, as it is at the moment at which it is asked, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orchestrator.engine.callbacks import CallbackSigner, route_path
from orchestrator.errors import ProcessNotFoundError
from orchestrator.language.transitions import ENDED
from orchestrator.language.vocabulary import State
from orchestrator.services import moving, processes
from orchestrator.services.callbacks import report_progress
from orchestrator.services.process_views import PENDING, RUNNING, ProcessDetail, process_detail
from orchestrator.services.resuming import check_answer, resume_process
from orchestrator.storage.callback_delivery import callbacks_of
from orchestrator.storage.process_statements import find_process
from orchestrator.testing.forms import Answers, BenchForm
from orchestrator.testing.refusals import refusals
from orchestrator.testing.stories import story_of
from orchestrator.testing.subscriptions import BenchSubscription

if TYPE_CHECKING:
    from orchestrator.testing.workbench import Workbench


@dataclass(frozen=True)
class BenchStep:
    """One attempt at a step, as it was recorded.

    Attributes:
        key: its place in the workflow.
        status: `success`, `skipped`, `suspend`, `waiting`, `awaiting_callback`, `failed`, `abort` or `complete`.
        delta: what it changed in the state.
        removed: the keys that it took out of the state.
        error: what it failed with, as text.
        attempt: counts how often a worker took it, with those that died in it.
    """

    key: str
    name: str
    status: str
    delta: dict[str, Any]
    removed: tuple[str, ...]
    error: str | None
    attempt: int
    generation: int
    started: datetime | None
    completed: datetime | None


class BenchProcess:
    """A process of the database under test. Each look at it is a new one.

    What lets it go on also runs it, until nothing of any process is left to run.
    """

    def __init__(self, bench: Workbench, process_id: UUID) -> None:
        self._bench = bench
        self.process_id = process_id

    # How it is

    @property
    def status(self) -> str:
        """`completed`, `failed`, `suspended`, ..."""
        return self._detail.process.last_status

    @property
    def step_key(self) -> str | None:
        """The key of the step that it stands at: that failed, waits or runs next. None when it has ended."""
        with self._bench.context.database.reading() as session:
            row = find_process(session, self.process_id)
        return None if row is None or row.status in ENDED else row.step_key

    @property
    def state(self) -> State:
        """The merged state."""
        return self._detail.current_state

    @property
    def steps(self) -> list[BenchStep]:
        """What was recorded, in its order: a step that was tried twice is there twice."""
        return [
            BenchStep(
                key=one.key,
                name=one.name,
                status=one.status,
                delta=one.state_delta or {},
                removed=one.removed_keys,
                error=one.error["error"] if isinstance(one.error, dict) and "error" in one.error else None,
                attempt=one.attempt or 0,
                generation=one.generation or 1,
                started=one.started,
                completed=one.completed,
            )
            for one in self._detail.steps
            if one.status not in (RUNNING, PENDING)
        ]

    def step(self, key: str) -> BenchStep:
        """The latest attempt at the step with this key.

        Raises:
            AssertionError: it has not run; the message tells which steps have.
        """
        __tracebackhide__ = True
        found = self.attempts(key)
        if not found:
            raise AssertionError(f"the step {key!r} has not run\n{self}")
        return found[-1]

    def attempts(self, key: str) -> list[BenchStep]:
        """All attempts at the step with this key, the first one first."""
        return [one for one in self.steps if one.key == key]

    @property
    def failed_reason(self) -> str | None:
        """Why it failed, or why it waits to be tried again."""
        return self._detail.process.failed_reason

    @property
    def traceback(self) -> str | None:
        """Where it failed."""
        return self._detail.traceback

    @property
    def assignee(self) -> str:
        """Who is to act."""
        return self._detail.process.assignee

    @property
    def due_at(self) -> datetime | None:
        """When it goes on by itself, or stops waiting."""
        return self._detail.process.due_at

    @property
    def progress(self) -> Any:
        """What an outside system said last about how far it is."""
        return self._detail.callback_progress

    @property
    def subscriptions(self) -> list[BenchSubscription]:
        """The subscriptions that it works on."""
        found = self._detail.process.subscriptions
        return [BenchSubscription(self._bench.context, one.subscription_id) for one in found]

    @property
    def subscription(self) -> BenchSubscription:
        """The one subscription that it works on.

        Raises:
            AssertionError: there is none, or more than one.
        """
        __tracebackhide__ = True
        found = self.subscriptions
        if len(found) != 1:
            raise AssertionError(f"it works on {len(found)} subscriptions, not on one\n{self}")
        return found[0]

    @property
    def callback_route(self) -> str:
        """The route that was handed out for the callback that it has yet to get: `/api/processes/.../callback/...`.

        Raises:
            AssertionError: it has handed out none, or got what it waits for.
        """
        __tracebackhide__ = True
        context = self._bench.context
        with context.database.reading() as session:
            row = find_process(session, self.process_id)
            found = [] if row is None else [one for one in callbacks_of(session, row.seq) if one.arrived_at is None]
        if not found:
            raise AssertionError(f"no callback is awaited\n{self}")
        one, signer = found[0], CallbackSigner(context.settings.secret_key)
        return route_path(self.process_id, signer.token(self.process_id, one.step_key, one.generation, one.nonce))

    # What is expected of it

    def expect(self, status: str, *, at: str | None = None, reason: str | None = None) -> BenchProcess:
        """Go on only when it is as expected.

        Args:
            status: `completed`, `failed`, `suspended`, ...
            at: the key of the step that it stands at.
            reason: a part of why it failed.

        Raises:
            AssertionError: it is not; the message shows its steps, and where it failed.
        """
        __tracebackhide__ = True
        wrong = []
        if self.status != status:
            wrong.append(f"it should be {status}")
        if at is not None and self.step_key != at:
            wrong.append(f"it should stand at {at}, not at {self.step_key}")
        if reason is not None and reason not in (self.failed_reason or ""):
            wrong.append(f"it should have failed with {reason!r}")
        if wrong:
            raise AssertionError("\n".join([*wrong, str(self)]))
        return self

    def __str__(self) -> str:
        return story_of(self._detail)

    def __repr__(self) -> str:
        return f"<process {self.process_id} of {self._detail.process.workflow_name}: {self.status}>"

    # What lets it go on

    def form(self) -> BenchForm:
        """The form of the input step that it waits at, to be filled in page by page.

        Raises:
            AssertionError: it waits for no input.
        """
        self.expect("suspended")
        check = partial(check_answer, self._bench.context, self._bench.actor, self.process_id)
        return BenchForm(f"the input step {self.step_key!r}", check, lambda answers: self.resume(*answers))

    def resume(self, *answers: dict[str, Any]) -> BenchProcess:
        """Answer the input step that it waits at, a page for each answer; or let the step that failed or waits run
        again.

        Raises:
            AnswersRefused, AnswersMissing: the answers do not fit.
            Refused: it cannot be resumed now, or not by this actor.
        """
        pages: Answers = list(answers)
        return self._go_on("resume", resume_process, pages or None, answers=pages)

    def skip(self, reason: str = "a test skips it") -> BenchProcess:
        """Go past the step that failed.

        Raises:
            Refused: no step of it failed.
        """
        return self._go_on("skip", moving.skip_step, reason)

    def rerun(self, step_key: str, reason: str | None = None) -> BenchProcess:
        """Run it again from a step that it has come to before.

        Raises:
            Refused: it has not come to that step, or has ended.
        """
        return self._go_on("rerun", moving.rerun_process, step_key, reason)

    def abort(self, reason: str | None = None, *, release_subscription: bool = False) -> BenchProcess:
        """End it unfinished; its subscription stays out of sync, unless it is released with it.

        Raises:
            Refused: it has ended.
        """
        return self._go_on("abort", processes.abort_process, reason, release_subscription=release_subscription)

    def call_back(self, body: State) -> BenchProcess:
        """Send what it waits for, to the route that it handed out, as the outside system does.

        Raises:
            AssertionError: it waits for no callback.
            Refused: it cannot take it.
        """
        self._bench.call_back(self.callback_route, body)
        return self

    def report_progress(self, progress: State | str) -> BenchProcess:
        """Tell how far the outside system is, to the route that it handed out.

        Raises:
            AssertionError: it waits for no callback.
        """
        token = self.callback_route.rpartition("/")[2]
        with refusals("progress", []):
            report_progress(self._bench.context, self._bench.actor, self.process_id, token, progress)
        return self

    def _go_on(self, what: str, act: Any, *given: Any, answers: Answers | None = None, **options: Any) -> BenchProcess:
        with refusals(what, answers or []):
            act(self._bench.context, self._bench.actor, self.process_id, *given, **options)
        self._bench.run()
        return self

    @property
    def _detail(self) -> ProcessDetail:
        try:
            return process_detail(self._bench.context, self.process_id)
        except ProcessNotFoundError:
            raise AssertionError(f"there is no process {self.process_id} any more") from None
