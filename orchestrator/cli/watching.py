"""A process and its steps on a terminal: once, or live until nothing happens by itself any more."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.output import console_of, local_time, print_json
from orchestrator.language.transitions import FAILED
from orchestrator.language.vocabulary import ProcessStatus, StepStatus
from orchestrator.services.context import Context
from orchestrator.services.process_views import PENDING, RUNNING, ProcessDetail, StepView, process_detail

POLL_SECONDS: Final = 0.3

MARKS: Final[dict[str, tuple[str, str]]] = {
    StepStatus.SUCCESS: ("✓", "green"),
    StepStatus.COMPLETE: ("✓", "green"),
    StepStatus.SKIPPED: ("-", "dim"),
    StepStatus.SUSPEND: ("?", "yellow"),
    StepStatus.AWAITING_CALLBACK: ("?", "yellow"),
    StepStatus.WAITING: ("…", "yellow"),
    StepStatus.FAILED: ("✗", "red"),
    StepStatus.ABORT: ("✗", "red"),
    RUNNING: ("▶", "cyan"),
    PENDING: ("·", "dim"),
}

# What a watch ends with; in any other status the process goes on by itself.
_ENDS: Final[dict[str, ExitStatus]] = {
    ProcessStatus.COMPLETED: ExitStatus.DONE,
    ProcessStatus.ABORTED: ExitStatus.FAILED,
    ProcessStatus.SUSPENDED: ExitStatus.WAITING,
    ProcessStatus.AWAITING_CALLBACK: ExitStatus.WAITING,
    **dict.fromkeys(FAILED, ExitStatus.FAILED),
}


def watch_process(context: Context, process_id: UUID, as_json: bool) -> ExitStatus:
    """Show a process until it has ended, failed or waits for somebody; as JSON only what it ended with.

    Raises:
        ProcessNotFoundError: there is no such process.
    """
    console = console_of(quiet=as_json)
    detail = process_detail(context, process_id)
    if console.is_terminal and not as_json:
        with Live(_live(detail), console=console, refresh_per_second=8, transient=True) as live:
            while detail.process.last_status not in _ENDS:
                time.sleep(POLL_SECONDS)
                detail = process_detail(context, process_id)
                live.update(_live(detail))
    else:
        shown = _print_new_steps(console, detail, 0)
        while detail.process.last_status not in _ENDS:
            time.sleep(POLL_SECONDS)
            detail = process_detail(context, process_id)
            shown = _print_new_steps(console, detail, shown)
    if as_json:
        print_json(detail)
    elif console.is_terminal:
        print_detail(detail, console)
    else:
        console.print(_outcome(detail), soft_wrap=True)
    return _ENDS[detail.process.last_status]


def print_detail(detail: ProcessDetail, console: Console | None = None) -> None:
    """A process with its steps and when they ended, and why it failed; a line for each step when not on a terminal."""
    console = console or console_of()
    parts = (_head(detail), _steps(detail, with_times=True), *_failure(detail), _outcome(detail))
    console.print(*parts, sep="\n", soft_wrap=not console.is_terminal)


def _live(detail: ProcessDetail) -> RenderableType:
    waits = detail.process.waiting_for
    paused = ", paused" if detail.process.paused else ""
    told = f"{detail.process.last_status}{f' for {waits}' if waits else ''}{paused}"
    return Group(_head(detail), _steps(detail), Spinner("dots", told))


def _head(detail: ProcessDetail) -> Text:
    process = detail.process
    subscriptions = ", ".join(related.description for related in process.subscriptions)
    told = f"{process.process_id}, started {local_time(process.started_at)} by {process.created_by}"
    return Text.assemble((process.workflow_name, "bold"), f"  {told}", f"\n{subscriptions}" if subscriptions else "")


def _steps(detail: ProcessDetail, *, with_times: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for step in detail.steps:
        mark, style = MARKS.get(step.status, (" ", ""))
        at = [Text(local_time(step.completed or step.started), "dim")] if with_times else []
        table.add_row(Text(mark, style), Text(step.name, "dim" if step.status == PENDING else ""), *at, _told(step))
    return table


def _failure(detail: ProcessDetail) -> list[Text]:
    """What the author's error carried, of the step that failed last."""
    last = next((step for step in reversed(detail.steps) if step.step_id is not None), None)
    if last is None or not isinstance(last.error, dict) or last.error.get("details") is None:
        return []
    return [Text(f"details of {last.name}: {orjson.dumps(last.error['details']).decode()}", "red")]


def _told(step: StepView) -> Text:
    if step.status == PENDING:
        return Text("")
    parts: list[str] = [step.status]
    if step.started and step.completed:
        parts.append(_duration((step.completed - step.started).total_seconds()))
    if (step.attempt or 1) > 1:
        parts.append(f"attempt {step.attempt}")
    told = Text(", ".join(parts), "dim")
    if isinstance(step.error, dict) and step.error.get("error"):
        told.append(f"  {step.error['error']}", "red")
    return told


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _outcome(detail: ProcessDetail) -> Text:
    status = detail.process.last_status
    style = {ExitStatus.DONE: "green", ExitStatus.FAILED: "red", ExitStatus.WAITING: "yellow"}
    told = f"{status}, paused" if detail.process.paused else status
    text = Text(told, f"bold {style.get(_ENDS.get(status, ExitStatus.USAGE), 'cyan')}")
    if detail.process.failed_reason:
        text.append(f": {detail.process.failed_reason}", "not bold")
    if detail.form_error is not None:
        text.append(f"\nIts form cannot be shown: {detail.form_error}", "not bold red")
    if detail.form is not None:
        names = ", ".join(detail.form.get("properties", {}))
        text.append(
            f"\nIt asks for {names}: orchestrator process resume {detail.process.process_id} --set ...", "not bold"
        )
    return text


def _print_new_steps(console: Console, detail: ProcessDetail, shown: int) -> int:
    recorded = [step for step in detail.steps if step.step_id is not None]
    for step in recorded[shown:]:
        mark, _ = MARKS.get(step.status, (" ", ""))
        console.print(Text.assemble(mark, " ", step.name, "  ", _told(step)), soft_wrap=True)
    return len(recorded)
