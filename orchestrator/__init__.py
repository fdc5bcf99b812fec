"""A durable workflow orchestrator for customer subscriptions. What an author of workflows imports comes from here.

Names are looked up when they are first used, so that `import orchestrator.language` brings in no database and the
command line starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.domain.blocks import ProductBlockModel
    from orchestrator.domain.predicates import awaiting_callbacks_exist, no_running_instance, no_uncompleted_instance
    from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
    from orchestrator.errors import InconsistentDataError, ProcessFailureError
    from orchestrator.language.actions import Retry
    from orchestrator.language.admission import (
        AuthAction,
        AuthContext,
        PredicateContext,
        RunPredicateFail,
        RunPredicatePass,
    )
    from orchestrator.language.callbacks import callback_step
    from orchestrator.language.catalog import Catalog
    from orchestrator.language.choices import OneOf, SomeOf, summary_page
    from orchestrator.language.forms import FormGenerator, FormPage, InputFormGenerator, SubmitFormPage
    from orchestrator.language.step_list import Step, StepList
    from orchestrator.language.steps import (
        abort,
        begin,
        conditional,
        done,
        ensure_provisioning_status,
        focussteps,
        init,
        inputstep,
        resync,
        retrystep,
        set_status,
        step,
        step_group,
        steplens,
        store_process_subscription,
        unsync,
        unsync_unchecked,
    )
    from orchestrator.language.timers import sleep_for, wait_until
    from orchestrator.language.vocabulary import (
        REMOVED,
        Actor,
        Assignee,
        ProcessStatus,
        State,
        StepStatus,
        SubscriptionLifecycle,
        Target,
        UUIDstr,
    )
    from orchestrator.language.workflow_definition import Workflow
    from orchestrator.language.workflows import (
        create_workflow,
        modify_workflow,
        reconcile_workflow,
        task,
        terminate_workflow,
        validate_workflow,
        workflow,
    )
    from orchestrator.storage.session import db

__version__ = "0.1.0"

__all__ = [
    "REMOVED",
    "Actor",
    "Assignee",
    "AuthAction",
    "AuthContext",
    "Catalog",
    "FormGenerator",
    "FormPage",
    "InconsistentDataError",
    "InputFormGenerator",
    "OneOf",
    "PredicateContext",
    "ProcessFailureError",
    "ProcessStatus",
    "ProductBlockModel",
    "Retry",
    "RunPredicateFail",
    "RunPredicatePass",
    "SomeOf",
    "State",
    "Step",
    "StepList",
    "StepStatus",
    "SubmitFormPage",
    "SubscriptionLifecycle",
    "SubscriptionModel",
    "Target",
    "UUIDstr",
    "Workflow",
    "abort",
    "awaiting_callbacks_exist",
    "begin",
    "callback_step",
    "change_lifecycle",
    "conditional",
    "create_workflow",
    "db",
    "done",
    "ensure_provisioning_status",
    "focussteps",
    "init",
    "inputstep",
    "modify_workflow",
    "no_running_instance",
    "no_uncompleted_instance",
    "reconcile_workflow",
    "resync",
    "retrystep",
    "set_status",
    "sleep_for",
    "step",
    "step_group",
    "steplens",
    "store_process_subscription",
    "summary_page",
    "task",
    "terminate_workflow",
    "unsync",
    "unsync_unchecked",
    "validate_workflow",
    "wait_until",
    "workflow",
]

_HOMES = {
    "orchestrator.domain.blocks": ("ProductBlockModel",),
    "orchestrator.domain.predicates": (
        "awaiting_callbacks_exist",
        "no_running_instance",
        "no_uncompleted_instance",
    ),
    "orchestrator.domain.subscriptions": (
        "SubscriptionModel",
        "change_lifecycle",
    ),
    "orchestrator.errors": (
        "InconsistentDataError",
        "ProcessFailureError",
    ),
    "orchestrator.language.actions": ("Retry",),
    "orchestrator.language.admission": (
        "AuthAction",
        "AuthContext",
        "PredicateContext",
        "RunPredicateFail",
        "RunPredicatePass",
    ),
    "orchestrator.language.callbacks": ("callback_step",),
    "orchestrator.language.catalog": ("Catalog",),
    "orchestrator.language.choices": (
        "OneOf",
        "SomeOf",
        "summary_page",
    ),
    "orchestrator.language.forms": (
        "FormGenerator",
        "FormPage",
        "InputFormGenerator",
        "SubmitFormPage",
    ),
    "orchestrator.language.step_list": (
        "Step",
        "StepList",
    ),
    "orchestrator.language.steps": (
        "abort",
        "begin",
        "conditional",
        "done",
        "ensure_provisioning_status",
        "focussteps",
        "init",
        "inputstep",
        "resync",
        "retrystep",
        "set_status",
        "step",
        "step_group",
        "steplens",
        "store_process_subscription",
        "unsync",
        "unsync_unchecked",
    ),
    "orchestrator.language.timers": (
        "sleep_for",
        "wait_until",
    ),
    "orchestrator.language.vocabulary": (
        "REMOVED",
        "Actor",
        "Assignee",
        "ProcessStatus",
        "State",
        "StepStatus",
        "SubscriptionLifecycle",
        "Target",
        "UUIDstr",
    ),
    "orchestrator.language.workflow_definition": ("Workflow",),
    "orchestrator.language.workflows": (
        "create_workflow",
        "modify_workflow",
        "reconcile_workflow",
        "task",
        "terminate_workflow",
        "validate_workflow",
        "workflow",
    ),
    "orchestrator.storage.session": ("db",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
