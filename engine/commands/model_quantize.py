"""`gander model quantize`: 4 bits a weight with the errors fed back, made once and kept with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from engine.commands.progress_bars import share_bars
from engine.paths import model_folder

if TYPE_CHECKING:
    import torch

    from engine.rounding.tuning_memory import TuningMemory


def quantize(
    model: Annotated[str, typer.Argument(help="A ready model's name (`gander model list`) or folder.")],
    device: Annotated[str | None, typer.Option(help="torch's name of the device to compute on. Default: the first GPU, else cpu.")] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Then let scales and norms learn from the whole model: closer still, for some three times as long."),
    ] = False,
) -> None:
    """Make a model's 4 bits closer to its weights, and keep them: an engine that takes 4 bit loads these, and sooner.

    Started again after a stop, it continues; with --tune codes that are there already are not made anew.
    """
    folder = model_folder(model)
    from engine.device.devices import default_device, find_device
    from engine.rounding.round_model import Reports, round_model, tuning_needs

    place, console = find_device(device) if device else default_device(), Console(soft_wrap=True)
    if tune:
        console.print(told(tuning_needs(folder, place), place), highlight=False)
    with share_bars("rounding", "tuning") as (rounding, tuning):
        kept = round_model(folder, place, Reports(rounding, tuning), tuned=tune)
    console.print(f"Ready: {kept}. An engine with --quantize 4bit (engine.quantize) loads it.", highlight=False)


def told(memory: TuningMemory, place: torch.device) -> str:
    """What tuning will take, in words."""
    both, host = f"{(memory.device + memory.host) / 1e9:.1f} GB", f"{memory.host / 1e9:.1f} GB of main memory"
    needs = f"{both} of main memory" if place.type == "cpu" else f"{memory.device / 1e9:.1f} GB of {place}'s memory and {host}"
    return (
        f"Tuning takes some {needs}: the model in 4 bits and its gradients. Rounding alone (without --tune) has one layer there at a time."
    )
