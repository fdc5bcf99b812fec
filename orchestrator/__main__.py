"""`orchestrator` and `python -m orchestrator`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from orchestrator.cli.main import build_group

if TYPE_CHECKING:
    from orchestrator.cli.tools import Tools


def _load_tools() -> Tools:
    # Half a second of imports that `--help`, `up` without a catalog and `flower` do without.
    tools: Tools = importlib.import_module("orchestrator.bootstrap.command_line").build_tools()
    return tools


def main() -> None:
    """Run the command line."""
    build_group(_load_tools)(prog_name="orchestrator")


if __name__ == "__main__":
    main()
