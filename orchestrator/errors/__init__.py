"""One tree of errors. No HTTP here: the API maps classes to status codes in one table.

OrchestratorError
├── SettingsError          the set-up is wrong (settings, data folder, servers)
├── AuthoringError         a workflow, step or model is written wrongly; seen at definition
├── NotFoundError          the thing that was named does not exist
├── ConflictError          the thing is not in a state in which this can be done
├── InvalidInputError      what the caller sent cannot be used
└── UnavailableError       a server we depend on does not answer
"""

# ruff: noqa: F403 - whoever raises or catches need not know in which of these a class stands

from orchestrator.errors.authoring import *
from orchestrator.errors.forms import *
from orchestrator.errors.requests import *
from orchestrator.errors.set_up import *
from orchestrator.errors.steps import *
from orchestrator.errors.subscriptions import *
from orchestrator.errors.tree import *
