"""The workbench: a database of a test's own, the engine without a broker, and a person who starts workflows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orchestrator.domain.registry import use_products
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.engine.callbacks import CallbackSigner
from orchestrator.engine.runner import Limits
from orchestrator.language.catalog import Catalog
from orchestrator.language.vocabulary import Actor, State, Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.migrations.catalog import create_workflow
from orchestrator.services.callbacks import deliver_callback
from orchestrator.services.catalog_packages import load_catalog
from orchestrator.services.context import Context, context_in_force
from orchestrator.services.starting import check_start, start_process
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine
from orchestrator.storage.tables import ProcessTable, ProductTable, ScheduleTable
from orchestrator.testing.clock import BenchClock, duration_of
from orchestrator.testing.dispatcher import Dispatcher, ListBell
from orchestrator.testing.forms import Answers, BenchForm
from orchestrator.testing.processes import BenchProcess
from orchestrator.testing.refusals import refusals
from orchestrator.testing.servers import BenchServer
from orchestrator.testing.subscriptions import BenchSubscription

Subscription = BenchSubscription | SubscriptionModel | UUID | str

_SECRET_KEY = SecretStr("the key of the workbench")


class Workbench:
    """What a test is handed by the fixture `workbench`.

    Attributes:
        actor: who does what the test does; `acting_as` gives a workbench of somebody else.
    """

    def __init__(self, context: Context, dispatcher: Dispatcher, clock: BenchClock, actor: Actor) -> None:
        self.context = context
        self.actor = actor
        self._dispatcher = dispatcher
        self._clock = clock

    # Processes

    def add(self, workflow: Workflow) -> None:
        """Let a workflow be started that belongs to no product: one that the test has made, of steps that it tests.

        Raises:
            AuthoringError: there is one of that name.
        """
        self.context.catalog.add_workflow(workflow)
        with self.transaction() as session:
            row = {"name": workflow.name, "target": Target.SYSTEM, "description": workflow.description or workflow.name}
            create_workflow(session.connection(), {**row, "is_task": workflow.is_task})

    def start(
        self,
        workflow: str,
        *,
        product: str | None = None,
        subscription: Subscription | None = None,
        answers: Sequence[dict[str, Any]] = (),
        run: bool = True,
    ) -> BenchProcess:
        """Start a workflow, and run until nothing is left to run.

        Args:
            workflow: its name.
            product: the name of the product to create: the answer to the first page of a create workflow.
            subscription: the one to work on: the answer to the first page of any other workflow on a product.
            answers: an object for each page of the workflow's own form.
            run: False leaves the process as it was started; `run()` runs it.

        Raises:
            AnswersRefused, AnswersMissing: the answers do not fit the form.
            Refused: it cannot be started now, or not by this actor.
        """
        pages = [*self._choice(product, subscription), *answers]
        return self._start(workflow, pages, run=run)

    def form(self, workflow: str, *, product: str | None = None, subscription: Subscription | None = None) -> BenchForm:
        """The form that starts a workflow, to be filled in page by page. Arguments are those of `start`.

        Raises:
            AnswersRefused: the workflow cannot be started on this product or subscription.
            Refused: it cannot be started now, or not by this actor.
        """
        check = partial(check_start, self.context, self.actor, workflow)
        form = BenchForm(f"the form of {workflow}", check, partial(self._start, workflow))
        for answer in self._choice(product, subscription):
            form.answer(answer)
        return form

    def process(self, process_id: UUID | str) -> BenchProcess:
        """The process with this id."""
        return BenchProcess(self, UUID(str(process_id)))

    @property
    def processes(self) -> list[BenchProcess]:
        """All processes, the oldest first."""
        with self.context.database.reading() as session:
            found = session.scalars(select(ProcessTable.process_id).order_by(ProcessTable.seq)).all()
        return [BenchProcess(self, one) for one in found]

    def run(self) -> None:
        """Run whatever can run, until nothing is left. What lets a process go on does it by itself."""
        self._dispatcher.run()

    def call_back(self, route: str, body: State) -> None:
        """Send what a process waits for to the route that a step was handed, as an outside system does; and run.

        Args:
            route: `/api/processes/{process_id}/callback/{token}`, with or without the address of a server before it.
            body: what to send.

        Raises:
            ValueError: that is no such route.
            Refused: the token is wrong, or the process does not wait for it.
        """
        parts = route.rsplit("/", 3)
        if len(parts) != 4 or parts[2] != "callback":
            raise ValueError(f"a route of a callback is /api/processes/.../callback/..., not {route!r}")
        with refusals("the callback", []):
            deliver_callback(self.context, self.actor, UUID(parts[1]), parts[3], body)
        self.run()

    # Subscriptions and the database

    def subscription(self, subscription: Subscription) -> BenchSubscription:
        """A subscription by its id, or its model."""
        return BenchSubscription(self.context, _id_of(subscription))

    def product_id(self, name: str) -> UUID:
        """The id of a product.

        Raises:
            ValueError: there is none of this name; the message tells the names.
        """
        with self.context.database.reading() as session:
            known = {row.name: row.product_id for row in session.scalars(select(ProductTable))}
        if name not in known:
            raise ValueError(f"there is no product {name!r} in the database; there are {', '.join(sorted(known))}")
        return known[name]

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction in which models can be loaded and saved, and `db.session` is there; committed at the end."""
        with self.context.database.transaction(self.actor.name) as session:
            yield session

    def acting_as(self, name: str, *roles: str) -> Workbench:
        """The same workbench, where everything is done by somebody else."""
        return Workbench(self.context, self._dispatcher, self._clock, Actor(name, roles))

    # Time and faults

    def pass_time(self, duration: timedelta | None = None, /, **units: float) -> None:
        """Let time pass at once, and all happen that comes due in it: timers, retries, time limits, schedules.

        Every moment in the database moves into the past by the duration; then the engine's own clock looks at it. A
        moment that stands in the state of a process does not move.

        Args:
            duration: how long.
            units: the same as `seconds=`, `minutes=`, `hours=`, `days=` or `weeks=`.
        """
        self._clock.pass_time(duration_of(duration, units))

    def to_next_due(self) -> timedelta | None:
        """Let the time pass until something comes due, and let that happen.

        Returns:
            How long that was, None when nothing is to come.
        """
        return self._clock.to_next_due()

    def fail_step(self, step_key: str, error: Exception | None = None) -> None:
        """Let the next run of a step raise this instead of doing its work; the one after it does its work."""
        self._dispatcher.fail(step_key, error or RuntimeError("the test wanted it to fail"))

    def lose_worker_in(self, step_key: str) -> None:
        """Let the worker that runs a step next die when the step has done its work, before that is recorded.

        Nobody has noticed then: the process is `running`. After `pass_time(seconds=1)` the step has run again.
        """
        self._dispatcher.lose_worker(step_key)

    def _start(self, workflow: str, pages: Answers, *, run: bool = True) -> BenchProcess:
        with refusals(f"the form of {workflow}", pages):
            started = start_process(self.context, self.actor, workflow, pages)
        if run:
            self.run()
        return BenchProcess(self, started.process_id)

    def _choice(self, product: str | None, subscription: Subscription | None) -> Answers:
        if product is not None and subscription is not None:
            raise ValueError("a workflow is started for a product or on a subscription, not for both")
        if product is not None:
            return [{"product": str(self.product_id(product))}]
        if subscription is not None:
            return [{"subscription_id": str(_id_of(subscription))}]
        return []


@contextmanager
def open_workbench(server: BenchServer, packages: str) -> Iterator[Workbench]:
    """A workbench for these packages, on a new database."""
    catalog = load_catalog(Settings(catalog=packages))
    with server.database(server.template(packages)) as url, _calm_log():
        try:
            with _on_database(url, catalog) as made:
                yield made
        finally:
            use_products({})


@contextmanager
def _calm_log() -> Iterator[None]:
    """Without what libraries say for their own makers, unless the tests have chosen what is logged."""
    chosen = structlog.is_configured()
    if not chosen:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        yield
    finally:
        if not chosen:
            structlog.reset_defaults()


@contextmanager
def _on_database(url: str, catalog: Catalog) -> Iterator[Workbench]:
    settings = Settings(database_url=SecretStr(url), secret_key=_SECRET_KEY)
    database = Database(build_engine(url, application_name="workbench", pool_size=2))
    bell = ListBell()
    limits = Limits(settings.max_delta_bytes, settings.max_lost_attempts, 0.0, CallbackSigner(settings.secret_key))
    dispatcher = Dispatcher(url, catalog, limits, bell)
    context = Context(database=database, catalog=catalog, bell=bell, settings=settings)
    clock = BenchClock(url, context, dispatcher)
    context_in_force.use(context)
    with database.transaction("workbench") as session:
        # Those of the built-in tasks would run in every test that lets a day pass.
        session.execute(update(ScheduleTable).values(paused=True))
    try:
        yield Workbench(context, dispatcher, clock, Actor("tester"))
    finally:
        context_in_force.use(None)
        clock.close()
        dispatcher.close()
        database.dispose()


def _id_of(subscription: Subscription) -> UUID:
    if not isinstance(subscription, UUID | str):
        return subscription.subscription_id
    try:
        return UUID(str(subscription))
    except ValueError:
        raise ValueError(
            f"{subscription!r} is no id of a subscription: give its UUID, its model, or the `subscription` of a process"
        ) from None
