"""`gander model quantize`: 4 bits a weight with the errors fed back, made once and kept with the model."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from engine.commands.model_import import import_bar
from engine.paths import model_folder


def quantize(
    model: Annotated[str, typer.Argument(help="A ready model's name (`gander model list`) or folder.")],
    device: Annotated[str | None, typer.Option(help="torch's name of the device to compute on. Default: the first GPU, else cpu.")] = None,
) -> None:
    """Make a model's 4 bits closer to its weights, and keep them: an engine that takes 4 bit loads these, and sooner.

    Started again after a stop, it continues.
    """
    folder = model_folder(model)
    from engine.device.devices import default_device, find_device
    from engine.rounding.round_model import round_model

    place = find_device(device) if device else default_device()
    with import_bar("rounding") as report:
        kept = round_model(folder, place, report)
    Console(soft_wrap=True).print(f"Ready: {kept}. An engine with --quantize 4bit (engine.quantize) loads it.", highlight=False)
