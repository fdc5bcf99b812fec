"""What a failing test shows of a process: its steps, what each did, and where it failed."""

from __future__ import annotations

from orchestrator.services.process_views import ProcessDetail, StepView
from orchestrator.testing.pages import shown_value


def story_of(detail: ProcessDetail) -> str:
    """A process with its steps, one in each line, and its traceback."""
    process = detail.process
    lines = [f"process {process.process_id} of {process.workflow_name} is {process.last_status}"]
    if process.failed_reason:
        lines.append(f"  reason: {process.failed_reason}")
    if process.waiting_for or process.due_at:
        lines.append(f"  waits for: {process.waiting_for or 'a callback'}, due at {process.due_at}")
    if detail.form_error:
        lines.append(f"  its form cannot be shown: {detail.form_error}")
    for one in process.subscriptions:
        lines.append(f"  subscription: {one.subscription_id} ({one.description}), {one.status}")
    width = max((len(step.key) for step in detail.steps), default=0)
    lines += [f"  {step.key:<{width}}  {step.status:<9} {_told(step)}".rstrip() for step in detail.steps]
    if detail.traceback:
        lines += ["", detail.traceback.rstrip()]
    return "\n".join(lines)


def _told(step: StepView) -> str:
    if isinstance(step.error, dict) and step.error.get("error"):
        return f"{step.error.get('class', '')}: {step.error['error']}"
    parts = [shown_value(step.state_delta)] if step.state_delta else []
    parts += [f"removes {', '.join(step.removed_keys)}"] if step.removed_keys else []
    return " ".join(parts)
