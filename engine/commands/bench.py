"""`gander bench`: how fast this machine answers, measured beside the peers that are installed with us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from engine.home import model_folder
from engine.models.card import Quantization

MODES: tuple[Quantization, ...] = ("q4_1", "int8")  # what a CPU has kernels for


def bench(
    model: Annotated[str, typer.Option(help="A ready model's name (`gander model list`) or folder.")] = "pocket",
    rounds: Annotated[int, typer.Option(help="Conversations for each contender, besides one to warm up.", min=1)] = 5,
    tokens: Annotated[int, typer.Option(help="Length of each answer.", min=2)] = 64,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here, as JSON.", dir_okay=False)] = None,
) -> None:
    """Measure one stream on the CPU, ours and transformers' on the same weights, in turn: tokens/s, time to first token, memory."""
    import torch

    from engine.bench.report import heading, remarks, table
    from engine.bench.run import EXACT, run
    from engine.models.loader import load

    folder, cpu = model_folder(model), torch.device("cpu")
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Measuring …", total=None)
        report = run(
            lambda mode: load(folder, cpu, mode == EXACT, quantize=mode),
            MODES,
            rounds,
            tokens,
            lambda total: bar.update(task, total=total, advance=1),
        )
    console = Console(soft_wrap=True)
    console.print(heading(report), table(report), *remarks(report), sep="\n", highlight=False)
    if json_file:
        json_file.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
