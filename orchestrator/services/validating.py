"""Start the validation of all subscriptions: a process for each, and each once, however often this begins."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orchestrator.errors import CodeFailedError, OrchestratorError, UnavailableError
from orchestrator.language.vocabulary import Actor, Target
from orchestrator.services.context import Context
from orchestrator.services.starting import start_process
from orchestrator.storage.validating_statements import ToValidate, subscriptions_to_validate

_BATCH: Final = 200
_SHOWN: Final = 50
# Longer than a process that failed here waits to be resumed.
_REMEMBERED_HOURS: Final = 24.0 * 60
# Begun again later, it can be done.
_NOT_NOW: Final = (UnavailableError, OperationalError, InterfaceError, PoolTimeoutError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Validations:
    """How many processes were started, and how many could not be, by the reason."""

    started: int
    refused: dict[str, int]


def start_validations(context: Context, actor: Actor, process_id: UUID, product_type: str | None = None) -> Validations:
    """Start every validate workflow of every active subscription that is in sync and where it is not under way already.

    Args:
        context: of this process of the operating system.
        actor: in whose name they start.
        process_id: of the process that does this: begun again, it starts nothing twice.
        product_type: of the subscriptions; None: all.

    Raises:
        UnavailableError: the engine was paused, or a server does not answer; begun again later, the rest is started.
    """
    settings = context.settings.model_copy(update={"idempotency_hours": _REMEMBERED_HOURS})
    remembering = replace(context, settings=settings)
    validating = [one.name for one in context.catalog.workflows.values() if one.target == Target.VALIDATE]
    started, refused, after = 0, Counter[str](), 0
    while True:
        with context.database.reading() as session:
            found = subscriptions_to_validate(session, validating, after, _BATCH, product_type)
        if not found:
            return Validations(started, dict(refused.most_common(_SHOWN)))
        after = found[-1].seq
        for one in found:
            if one.workflow_name is not None:
                reason = _start(remembering, actor, process_id, one, one.workflow_name)
                started += reason is None
                if reason is not None:
                    refused[f"{one.workflow_name}: {reason}"] += 1


def _start(context: Context, actor: Actor, process_id: UUID, one: ToValidate, workflow_name: str) -> str | None:
    pages = [{"subscription_id": str(one.subscription_id)}]
    key = f"{process_id} {workflow_name} {one.subscription_id}"
    try:
        start_process(context, actor, workflow_name, pages, idempotency_key=key)
    except _NOT_NOW:
        raise
    except CodeFailedError as failure:
        log.warning("a validation cannot be started", subscription_id=str(one.subscription_id), exc_info=failure)
        return str(failure).replace(str(one.subscription_id), "...")
    except OrchestratorError as refusal:
        return str(refusal).replace(str(one.subscription_id), "...")
    except Exception as error:
        log.warning("a validation cannot be started", subscription_id=str(one.subscription_id), exc_info=error)
        return f"its code failed with {type(error).__name__}"
    return None
