"""`gander model import`: makes one ready folder from MiniGPT-4's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from engine.weights.shard_folder import Progress as Report


def import_model(
    llama: Annotated[Path, typer.Option(help="Folder of LLaMA in Hugging Face's form, or of Vicuna that is merged already.")],
    blip2: Annotated[
        Path, typer.Option(help="blip2_pretrained_flant5xxl.pth, or a copy of Salesforce/blip2-flan-t5-xxl (then without --vit).")
    ],
    checkpoint: Annotated[Path, typer.Option(help="MiniGPT-4's own checkpoint, pretrained_minigpt4*.pth.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    vit: Annotated[Path | None, typer.Option(help="eva_vit_g.pth.")] = None,
    delta: Annotated[Path | None, typer.Option(help="Folder of the Vicuna delta, v0 or v1. Leave out for merged weights.")] = None,
    architecture: Annotated[Path | None, typer.Option(help="Sizes of the vision encoder, where they aren't the release's.")] = None,
    quantize: Annotated[Literal["none", "int8", "4bit"], typer.Option(help="Store the language model's matrices in 8 or 4 bits.")] = "none",
) -> None:
    """Make a ready model folder from LLaMA, a Vicuna delta and MiniGPT-4's files. Started again after a stop, it continues."""
    from engine.weights.importing import Sources, import_model

    sources = Sources(llama, blip2, checkpoint, delta, vit, architecture)
    console = Console(soft_wrap=True)
    for part in sources.parts():
        console.print(f"{part.name} ({part.source}): {part.licence}", highlight=False)
    if delta is None:
        console.print(f"Without --delta {llama.name} has to be Vicuna that is merged already: LLaMA alone knows no chat.", highlight=False)
    with import_bar() as report:
        card = import_model(sources, out, quantize, report)
    console.print(f"Ready: {out} ({card.version}). `gander run --model {out}` serves it.", highlight=False)


@contextmanager
def import_bar() -> Iterator[Report]:
    """A progress bar: bytes written, and the time left."""
    columns = (TextColumn("writing"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns) as shown:
        task = shown.add_task("writing", total=None, visible=False)  # until the inputs are found good
        yield lambda written, total: shown.update(task, completed=written, total=total, visible=True)
