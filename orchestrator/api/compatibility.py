"""`python -m orchestrator.api.compatibility`: the committed document is that of the code, and still holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from orchestrator.api.application import openapi_document
from orchestrator.api.documents import openapi_text
from orchestrator.api.openapi_differences import breaking_differences


@click.command()
@click.argument("committed", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/openapi.json"))
@click.option("--write", is_flag=True, help="Write the document of the code, unless it breaks what is committed.")
def main(committed: Path, write: bool) -> None:
    """Compare the committed OpenAPI document with that of the code; exit with 1 when they do not fit."""
    document = openapi_document()
    text = openapi_text(document)
    known = committed.read_text() if committed.exists() else None
    differences = [] if known is None else breaking_differences(json.loads(known), json.loads(text))
    for difference in differences:
        click.echo(f"breaks clients: {difference}", err=True)
    if differences:
        sys.exit(1)
    if write:
        committed.write_text(text)
    elif known != text:
        click.echo(f"{committed} is not that of the code: write it with --write and commit it", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
