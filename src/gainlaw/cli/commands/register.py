"""``gainlaw register``: claims fixed before the scores exist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(
    claims: Annotated[
        Path, typer.Argument(metavar="CLAIMS.toml", help="The file of claims.", show_default=False)
    ],
) -> None:
    """Fix claims before the scores exist: hash, time and versions go into CLAIMS.registered.json beside the file.

    Verdicts say from then on whether the claims were registered before the data, and are unchanged.
    """
    from gainlaw.claims.registration import register as fix
    from gainlaw.claims.registration import registry_path
    from gainlaw.notes import count_of

    found, new = fix(claims)
    done = "registered" if new else "registered before, and unchanged"
    typer.echo(f"{count_of(found.claims, 'claim')} {done}: {found.when}, SHA-256 {found.sha256[:16]}...")
    if new:
        typer.echo(
            f"wrote {registry_path(claims)}; commit it, or send it to somebody, before the scores exist"
        )
