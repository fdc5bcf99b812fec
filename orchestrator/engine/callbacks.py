"""Callbacks, as workers have to do with them: the route that a step is handed, and what a step that waits ends in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import SecretStr

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.record import Place
from orchestrator.errors import CallbackRouteError, LostClaimError, SettingsError, StepResultError
from orchestrator.language.actions import AwaitCallback
from orchestrator.language.catalog import Catalog
from orchestrator.language.json_values import to_json
from orchestrator.language.outcomes import AwaitsCallback, Done, StepError
from orchestrator.language.vocabulary import State
from orchestrator.storage.callback_statements import OPEN_CALLBACK, TAKE_CALLBACK
from orchestrator.storage.step_statements import LOCK_PROCESS

_PURPOSE: Final = b"orchestrator callback"
_NONCE_BYTES: Final = 32
_HIDDEN: Final = "(token)"


@dataclass(frozen=True)
class CallbackSigner:
    """Makes the tokens of callbacks. Nothing that is stored is enough to make one: the key is in no database."""

    secret_key: SecretStr | None = None

    def token(self, process_id: UUID, step_key: str, generation: int, nonce: str) -> str:
        """The token of one callback; the same for the same arguments.

        Raises:
            SettingsError: there is no secret key.
        """
        if self.secret_key is None:
            raise SettingsError("ORCHESTRATOR_SECRET_KEY is not set: callbacks need it, the same in all processes")
        told = orjson.dumps([str(process_id), step_key, generation, nonce])
        signature = hmac.new(
            self.secret_key.get_secret_value().encode(), _PURPOSE + b"\x00" + told, hashlib.sha256
        ).digest()
        return urlsafe_b64encode(signature).rstrip(b"=").decode()

    def accepts(self, token: str, process_id: UUID, step_key: str, generation: int, nonce: str) -> bool:
        """Whether this is the token of that callback; takes the same time whatever it is.

        Raises:
            SettingsError: there is no secret key.
        """
        wanted = self.token(process_id, step_key, generation, nonce)
        return hmac.compare_digest(token.encode(errors="surrogatepass"), wanted.encode())


@dataclass(frozen=True)
class Route:
    """The route that one attempt at a step was handed. What the step leaves behind must not have its token."""

    path: str
    token: str = field(repr=False)

    def refuse_in(self, delta: State, label: str) -> None:
        """Refuse a delta that would store the token.

        Raises:
            StepResultError: it has it somewhere.
        """
        for key, value in delta.items():
            if self.token in key or self.token in orjson.dumps(to_json(value, key)).decode():
                raise StepResultError(
                    f"{label} returned its callback route under {key!r}; the route is not stored: it is handed out "
                    "again whenever the step runs again"
                )

    def hide_in(self, error: StepError) -> StepError:
        """The error without the token: requests that fail like to tell their address or their body."""
        return replace(
            error,
            message=error.message.replace(self.token, _HIDDEN),
            traceback=error.traceback.replace(self.token, _HIDDEN),
            details=_without(self.token, error.details),
        )


def route_path(process_id: UUID, token: str) -> str:
    """The path that an outside system posts to."""
    return f"/api/processes/{process_id}/callback/{token}"


def open_route(connection: WorkerConnection, place: Place, signer: CallbackSigner) -> Route:
    """The route to call back to for the step behind this one that waits; committed before anybody is told of it.

    Raises:
        CallbackRouteError: no step behind this one waits for a callback.
        LostClaimError: the claim is not ours any more.
        SettingsError: there is no secret key.
    """
    claim = place.claim
    waiting = next((one.key for one in place.version.steps[claim.position :] if one.kind == "await_callback"), None)
    if waiting is None:
        raise CallbackRouteError(
            f"version {place.version.hash[:12]} of {place.version.workflow_name!r}, to which the process is pinned, has"
            f" no step behind {place.key!r} that waits for a callback"
        )
    nonce = secrets.token_hex(_NONCE_BYTES)
    signer.token(claim.process_id, waiting, claim.generation, nonce)  # refuses before anything is stored
    row = connection.row(
        OPEN_CALLBACK,
        {
            "seq": claim.seq,
            "claim": claim.token,
            "key": waiting,
            "generation": claim.generation,
            "nonce": nonce,
        },
    )
    if row is None:
        raise LostClaimError
    token = signer.token(claim.process_id, waiting, claim.generation, row[0])
    return Route(route_path(claim.process_id, token), token)


def await_callback(
    connection: WorkerConnection, place: Place, action: AwaitCallback, keep: Callable[[State], Done]
) -> Done | AwaitsCallback:
    """What has arrived already, or the wait for it. In the transaction of the record, which must follow at once.

    Args:
        connection: of the worker.
        place: the step that waits.
        action: what it waits for, and how long.
        keep: makes the change of the whole state from what arrived.

    Raises:
        LostClaimError: the claim is not ours any more.
        CallbackRouteError: the route was never handed out.
    """
    claim = place.claim
    # Whoever brings a callback locks this row first, too: it is there in the next statement, or finds us waiting.
    ours = connection.row(LOCK_PROCESS, {"seq": claim.seq, "claim": claim.token})
    if ours is None or not ours[0]:
        raise LostClaimError
    row = connection.row(
        TAKE_CALLBACK,
        {"seq": claim.seq, "key": place.key, "generation": claim.generation, "time_limit": action.time_limit},
    )
    if row is None:
        raise CallbackRouteError(
            "nobody was handed the route of this callback: the step that asks the outside system has not run; "
            "run the process again from there, or skip this step"
        )
    arrived, value = row
    return keep({action.result_key: value}) if arrived else AwaitsCallback(action.time_limit)


def check_secret_key(catalog: Catalog, signer: CallbackSigner) -> None:
    """Make sure that there is a secret key, if any workflow waits for callbacks.

    Raises:
        SettingsError: there is none.
    """
    for workflow in catalog.workflows.values():
        if signer.secret_key is None and any(isinstance(step.action, AwaitCallback) for step in workflow.steps):
            raise SettingsError(
                f"ORCHESTRATOR_SECRET_KEY is not set: the workflow {workflow.name!r} waits for callbacks, which are "
                "signed with it; set it to the same in all processes"
            )


def _without(token: str, details: Any) -> Any:
    try:
        text = orjson.dumps(to_json(details, "details")).decode()
    except Exception:  # noqa: BLE001 - the author's objects; what cannot be stored is left out at the record
        return details
    return orjson.loads(text.replace(token, _HIDDEN)) if token in text else details
