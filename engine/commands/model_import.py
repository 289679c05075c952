"""`gander model import`: makes one ready folder from the files of MiniGPT-4, or of a successor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from engine.paths import models

if TYPE_CHECKING:
    from engine.weights.importing import Sources
    from engine.weights.shard_folder import Progress as Report


def import_model(
    folder: Annotated[
        Path | None, typer.Argument(help="Where the parts lie, told apart by what is in them.", exists=True, file_okay=False)
    ] = None,
    llama: Annotated[
        Path | None, typer.Option(help="Folder of LLaMA in Hugging Face's form, of Vicuna that is merged already, or of Llama 2 Chat.")
    ] = None,
    blip2: Annotated[
        Path | None, typer.Option(help="blip2_pretrained_flant5xxl.pth, or a copy of Salesforce/blip2-flan-t5-xxl (then without --vit).")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="MiniGPT-4's own checkpoint, pretrained_minigpt4*.pth, or MiniGPT-v2's.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to make. Default: minigpt4, minigpt4-llama2 or minigpt-v2 among the models.")
    ] = None,
    vit: Annotated[Path | None, typer.Option(help="eva_vit_g.pth.")] = None,
    delta: Annotated[Path | None, typer.Option(help="Folder of the Vicuna delta, v0 or v1. Leave out for merged weights.")] = None,
    architecture: Annotated[Path | None, typer.Option(help="Sizes of the vision encoder, where they aren't the release's.")] = None,
    quantize: Annotated[Literal["none", "int8", "4bit"], typer.Option(help="Store the language model's matrices in 8 or 4 bits.")] = "none",
) -> None:
    """Make a ready model folder from Vicuna, or LLaMA and its delta, and MiniGPT-4's files; from Llama 2 Chat for MiniGPT-4 on Llama 2 and
    MiniGPT-v2, which the checkpoint tells. Started again after a stop, it continues."""
    from engine.weights.importing import import_model
    from engine.weights.minigpt4_release import read_release
    from engine.weights.unpacking import unpacked

    named = {"llama": llama, "blip2": blip2, "checkpoint": checkpoint, "vit": vit, "delta": delta, "architecture": architecture}
    with unpacked({part: path for part, path in named.items() if path}, out or models() / "minigpt4") as given:
        sources = chosen(folder, given)
        kind = sources.kind()
        target = out or models() / read_release(kind).folder
        console = Console(soft_wrap=True)
        for part in sources.parts(kind):
            console.print(f"{part.name} ({part.source}): {part.licence}", highlight=False)
        if kind == "minigpt4" and sources.delta is None:
            console.print(
                f"Without a delta {sources.llama.name} has to be Vicuna that is merged already: LLaMA alone knows no chat.", highlight=False
            )
        with import_bar() as report:
            card = import_model(sources, target, quantize, report)
    console.print(f"Ready: {target} ({card.version}). `gander run --model {target}` serves it.", highlight=False)


def chosen(folder: Path | None, named: dict[str, Path]) -> Sources:
    """The parts that options name, and for the rest what the folder holds."""
    from engine.weights.importing import Sources
    from engine.weights.parts import sources_in

    if folder:
        return sources_in(folder, named)
    missing = [f"--{part}" for part in ("llama", "checkpoint") if part not in named]
    if missing:
        raise typer.BadParameter(f"give the folder in which the parts lie, or name them: {', '.join(missing)} is missing.")
    return Sources(**named)


@contextmanager
def import_bar(doing: str = "writing") -> Iterator[Report]:
    """A progress bar: bytes written, and the time left."""
    columns = (TextColumn(doing), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns) as shown:
        task = shown.add_task(doing, total=None, visible=False)  # until the inputs are found good
        yield lambda written, total: shown.update(task, completed=written, total=total, visible=True)
