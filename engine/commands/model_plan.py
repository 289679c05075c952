"""`gander model plan`: how much device memory a model takes, and which forms of it fit on the card of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from engine.errors import ModelError
from engine.hub.names import can_be_fetched, release_size, wanted
from engine.paths import model_folder, no_model

if TYPE_CHECKING:
    from engine.weights.memory_needed import Shapes

CARDS = (8, 12, 16, 24, 32, 48, 80)  # GB, as they are sold
CONVERSATIONS = (1, 8, 32)
SIZES = ("7b", "13b", "llama2-7b", "v2-7b")  # of MiniGPT-4 and its successors
MOST_GB = 10_000
NAMES = {"none": "fp16", "int8": "int8", "4bit": "4 bit"}


def plan(
    model: Annotated[
        str,
        typer.Argument(help="A ready folder, a model's name, owner/name of a hub, or 7b, 13b or v2-7b for MiniGPT-4; it need not be here."),
    ],
    card: Annotated[
        list[str] | None,
        typer.Option("--card", "--memory", help="Plan for a card of so many GB (16, 16GB) instead of what is here; given again, more."),
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="Say how these devices would be used, such as cuda:0 and cuda:1.")] = None,
    quantize: Annotated[Literal["auto", "none", "int8", "4bit"], typer.Option(help="The form to use them with.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, in bytes.")] = False,
) -> None:
    """Show the device memory needed in fp16, int8 and 4 bit, and which of them fits. Nothing is loaded."""
    sizes = [card_bytes(text) for text in card or []]
    release = release_size(model)
    if release not in SIZES and not can_be_fetched(model):
        model_folder(model)  # says what there is, before torch takes its seconds
    shapes = shapes_of_any(model)
    cards = sizes or [free for name in device or [] if (free := memory_of(name))] or cards_here()[:1]
    from engine.device.devices import find_device
    from engine.weights.memory_needed import CONTEXT, MODES
    from engine.weights.placement import arrange, arrange_sizes

    count, picked = arrange_sizes(shapes, [size - CONTEXT for size in cards], quantize) if cards else (0, None)
    names = [f"card {number}" for number in range(1, len(cards) + 1)] if sizes else device or [f"cuda:{n}" for n in range(len(cards))]
    engines = [names[start : start + count] for start in range(0, len(names), count)] if count and picked else []
    if device and not sizes and (here := folder_here(model)):
        engines = arrange(here, [str(find_device(name)) for name in device], quantize)  # also of CPUs, and of cards that are too small
    if as_json:
        needed = {mode: {count: shapes.needed(mode, count) for count in CONVERSATIONS} for mode in MODES}
        typer.echo(
            json.dumps({"needed": needed, "card": cards[0] if cards else None, "cards": cards, "picked": picked, "engines": engines})
        )
        return
    console = Console()
    console.print(needs(shapes))
    console.print(table_of_cards(shapes))
    console.print(verdict(cards, engines, picked), soft_wrap=True, highlight=False)


def folder_here(model: str) -> Path | None:
    try:
        return model_folder(model)
    except ModelError:
        return None


def verdict(cards: list[int], engines: list[list[str]], picked: str | None) -> str:
    if not cards:
        return "There is no GPU here: the engine would compute on the CPU, from main memory."
    said = " and ".join(f"{size / 1e9:.1f} GB" for size in cards)
    if not picked:
        if len(cards) == 1:
            return f"A card of {said} is too small, even for 4 bit: split it over several (engine.devices), or choose a smaller model."
        return f"Cards of {said} are too small together, even for 4 bit: choose a smaller model."
    if len(cards) == 1:
        return f"A card of {said}: engine.quantize = auto takes {NAMES[picked]}."
    if len(engines) == 1:
        return f"Cards of {said}: one engine over all of them, in {NAMES[picked]}."
    return f"Cards of {said}: an engine on each, in {NAMES[picked]}."


def card_bytes(text: str) -> int:
    """`16`, `16GB`, `16 gb` → bytes."""
    try:
        size = float(text.lower().removesuffix("gb").removesuffix("g").strip())
    except ValueError:
        size = 0.0
    if not 0 < size < MOST_GB:
        raise typer.BadParameter(f"{text!r} is no size of a card such as 16GB.", param_hint="--card")
    return int(size * 1e9)


def shapes_of_any(model: str) -> Shapes:
    """Of what is here, of MiniGPT-4, or of a hub's repository by its config alone. Raises ModelError."""
    release = release_size(model)
    try:
        folder = model_folder(model)
    except ModelError:
        from engine.weights.memory_needed import release_shapes

        return release_shapes(release) if release in SIZES else shapes_on_hub(model)
    from engine.weights.memory_needed import shapes_of

    return shapes_of(folder)


def shapes_on_hub(model: str) -> Shapes:
    from engine.hub.listing import look_up
    from engine.hub.memory_preview import memory_preview, planned
    from engine.models.card import FALLBACK
    from engine.models.pretrained_card import check_kind, read_json

    asked = wanted(model)
    if asked is None:
        raise no_model(model)
    listing = look_up(asked)
    config = listing.config()
    if config is None or not listing.parameters:
        raise ModelError(f"{listing.repository} does not say how large it is: fetch it first (`gander model pull {model}`).")
    if check_kind(listing.repository, read_json(config)) == FALLBACK:
        typer.echo(memory_preview(config, listing.parameters))
        raise typer.Exit
    return planned(config, listing.parameters)


def memory_of(name: str) -> int | None:
    """Raises StartError for a device that is not here."""
    import torch

    from engine.device.devices import find_device

    device = find_device(name)
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def cards_here() -> list[int]:
    """Bytes of memory of each GPU."""
    import torch

    return [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]


def needs(shapes: Shapes) -> Table:
    from engine.weights.memory_needed import MODES, TOKENS

    columns = [f"{count} conversation{'s' if count > 1 else ''}" for count in CONVERSATIONS]
    table = Table("weights", "language", "vision", *columns, title=f"Device memory in GB, conversations of {TOKENS:,} tokens", box=None)
    for mode in MODES:
        totals = [f"{shapes.needed(mode, count) / 1e9:.1f}" for count in CONVERSATIONS]
        table.add_row(NAMES[mode], f"{shapes.language_bytes(mode) / 1e9:.2f}", f"{shapes.vision_parameters * 2 / 1e9:.2f}", *totals)
    return table


def table_of_cards(shapes: Shapes) -> Table:
    from engine.weights.memory_needed import CONTEXT, MODES, pick

    table = Table("card", *(NAMES[mode] for mode in MODES), "auto", title="Conversations that fit at once", box=None)
    for size in CARDS:
        free = int(size * 1e9) - CONTEXT
        fits = [max(0, shapes.conversations(mode, free)) for mode in MODES]
        table.add_row(f"{size} GB", *(str(count) if count else "-" for count in fits), NAMES.get(pick(shapes, free) or "", "-"))
    return table
