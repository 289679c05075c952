"""`gander model plan`: how much device memory a model takes, and which forms of it fit on the card of this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from engine.paths import model_folder

if TYPE_CHECKING:
    from engine.weights.memory_needed import Shapes

CARDS = (8, 12, 16, 24, 32, 48, 80)  # GB, as they are sold
CONVERSATIONS = (1, 8, 32)
NAMES = {"none": "fp16", "int8": "int8", "4bit": "4 bit"}


def plan(
    model: Annotated[str, typer.Argument(help="A ready folder, a model's name, or 7b or 13b for MiniGPT-4 that is not here yet.")],
    memory: Annotated[float | None, typer.Option(help="Plan for a card of so many GB instead of the one that is here.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Say how these devices would be used, such as cuda:0 and cuda:1.")] = None,
    quantize: Annotated[Literal["auto", "none", "int8", "4bit"], typer.Option(help="The form to use them with.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object, in bytes.")] = False,
) -> None:
    """Show the device memory needed in fp16, int8 and 4 bit, and which of them fits. Nothing is loaded."""
    from engine.device.devices import find_device
    from engine.weights.memory_needed import CONTEXT, MODES, RELEASE, pick, release_shapes, shapes_of
    from engine.weights.placement import arrange

    shapes = release_shapes(model) if model in RELEASE else shapes_of(model_folder(model))
    card = int(memory * 1e9) if memory else card_here()
    picked = pick(shapes, card - CONTEXT) if card else None
    engines = arrange(model_folder(model), list(map(str, map(find_device, device))), quantize) if device else []
    if as_json:
        needed = {mode: {count: shapes.needed(mode, count) for count in CONVERSATIONS} for mode in MODES}
        typer.echo(json.dumps({"needed": needed, "card": card, "picked": picked, "engines": engines}))
        return
    console = Console()
    console.print(needs(shapes))
    console.print(cards(shapes))
    for names in engines:
        console.print(f"One engine on {' and '.join(names)}.")
    if not card:
        console.print("There is no GPU here: the engine would compute on the CPU, from main memory.")
    elif picked:
        console.print(f"A card of {card / 1e9:.1f} GB: engine.quantize = auto takes {NAMES[picked]}.")
    else:
        console.print(f"A card of {card / 1e9:.1f} GB is too small, even for 4 bit: split it over several (engine.devices).")


def card_here() -> int | None:
    """Bytes of memory of the first GPU; None without one."""
    import torch

    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else None


def needs(shapes: Shapes) -> Table:
    from engine.weights.memory_needed import MODES, TOKENS

    columns = [f"{count} conversation{'s' if count > 1 else ''}" for count in CONVERSATIONS]
    table = Table("weights", "language", "vision", *columns, title=f"Device memory in GB, conversations of {TOKENS:,} tokens", box=None)
    for mode in MODES:
        totals = [f"{shapes.needed(mode, count) / 1e9:.1f}" for count in CONVERSATIONS]
        table.add_row(NAMES[mode], f"{shapes.language_bytes(mode) / 1e9:.2f}", f"{shapes.vision_parameters * 2 / 1e9:.2f}", *totals)
    return table


def cards(shapes: Shapes) -> Table:
    from engine.weights.memory_needed import CONTEXT, MODES, pick

    table = Table("card", *(NAMES[mode] for mode in MODES), "auto", title="Conversations that fit at once", box=None)
    for size in CARDS:
        free = int(size * 1e9) - CONTEXT
        fits = [max(0, shapes.conversations(mode, free)) for mode in MODES]
        table.add_row(f"{size} GB", *(str(count) if count else "-" for count in fits), NAMES.get(pick(shapes, free) or "", "-"))
    return table
