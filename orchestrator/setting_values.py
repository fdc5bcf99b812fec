"""What the values of settings have to be, beyond their types: each check returns the value, or raises ValueError.

No sentence repeats a secret.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
POSTGRESQL_SCHEMES: Final = ("postgresql", "postgres")
TARGETS: Final = ("CREATE", "MODIFY", "TERMINATE", "SYSTEM", "VALIDATE", "RECONCILE")
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
LEAST_KEY_LENGTH: Final = 16

_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)
_QUEUE_NAME: Final = re.compile(r"[\w.:-]{1,200}", re.ASCII)


def _only_loopback(host: str) -> str:
    if host not in LOOPBACK:
        message = (
            f"{host!r} is not a loopback address: there is no authentication yet, so the server listens on "
            "127.0.0.1, ::1 or localhost only; put an authenticating proxy in front of it"
        )
        raise ValueError(message)
    return host


def _names_of_hosts(hosts: str) -> str:
    for host in filter(None, map(str.strip, hosts.split(","))):
        if not (_HOST_NAME.fullmatch(host) or _is_address(host)):
            message = (
                f"{host!r} is no name of a host; write it without scheme, port, path or wildcards: portal.example.org"
            )
            raise ValueError(message)
    return hosts


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _a_log_level(level: str) -> str:
    if level.upper() not in LOG_LEVELS:
        message = f"{level!r} is no level; use one of {', '.join(LOG_LEVELS)}"
        raise ValueError(message)
    return level.upper()


def _a_postgresql_url(url: SecretStr) -> SecretStr:
    scheme = url.get_secret_value().partition("://")[0].partition("+")[0]
    if scheme not in POSTGRESQL_SCHEMES:
        message = "this is no URL of a PostgreSQL; it begins with postgresql://"
        raise ValueError(message)
    return url


def _hard_to_guess(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < LEAST_KEY_LENGTH:
        message = (
            f"the key has {len(key.get_secret_value())} characters and needs {LEAST_KEY_LENGTH} at least, "
            "or who sees one route can guess it: `openssl rand -hex 32` makes one"
        )
        raise ValueError(message)
    return key


def _a_target(name: str) -> str:
    if name not in TARGETS:
        message = f"{name!r} is no target; use {', '.join(TARGETS)}"
        raise ValueError(message)
    return name


def _a_queue(name: str) -> str:
    if not _QUEUE_NAME.fullmatch(name):
        message = f"{name!r} is no name of a queue; it has 1 to 200 letters, digits and any of . : _ -"
        raise ValueError(message)
    return name


Host = Annotated[str, AfterValidator(_only_loopback)]
HostNames = Annotated[str, AfterValidator(_names_of_hosts)]
LogLevel = Annotated[str, AfterValidator(_a_log_level)]
PostgresqlUrl = Annotated[SecretStr, AfterValidator(_a_postgresql_url)]
SecretKey = Annotated[SecretStr, AfterValidator(_hard_to_guess)]
Target = Annotated[str, AfterValidator(_a_target)]
Queue = Annotated[str, AfterValidator(_a_queue)]
Port = Annotated[int, Field(ge=1, le=65_535)]
# Not 0, which some would read as "off" and others as "delete all at once".
Days = Annotated[float, Field(gt=0, le=36_500)]
