"""`gander model measure`: the figures of `gander model plan`, measured on the GPU that is here with random weights."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from engine.errors import ModelError

TOKENS = 64  # compared between two ways to compute the same
LAYERS = 4  # of the models that are compared


def measure_model(
    size: Annotated[Literal["7b", "13b"], typer.Argument(help="Which of MiniGPT-4's sizes.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, in bytes and seconds.")] = False,
) -> None:
    """Measure memory, encoding and decoding in each mode on the first GPU, and whether all ways give the same tokens."""
    import torch

    from engine.bench.device_memory import measure, same_tokens, same_tokens_split
    from engine.weights.memory_needed import MODES, RELEASE, release_shapes

    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    if not gpus:
        raise ModelError("There is no GPU here to measure. `gander model plan` calculates.")
    rows = [measure(RELEASE[size], mode, gpus[0]) for mode in MODES]
    planned = [release_shapes(size).needed(mode, 1) for mode in MODES]
    small = replace(RELEASE[size], num_hidden_layers=LAYERS)
    types = (torch.float32, torch.float16)
    same = {f"{mode} {dtype}": same_tokens(small, mode, gpus[0], dtype, TOKENS) for mode in MODES[1:] for dtype in types}
    if len(gpus) > 1:
        same |= {f"split {dtype}": same_tokens_split(small, gpus, dtype, TOKENS) for dtype in types}
    if as_json:
        values = [{"planned": plan, **asdict(row)} for plan, row in zip(planned, rows, strict=True)]
        typer.echo(json.dumps({"device": torch.cuda.get_device_name(), "size": size, "measured": values, "same_tokens_of_64": same}))
        return
    table = Table("weights", "planned", "reserved", "card says", "1 picture", "8 pictures", "tokens/s", box=None)
    for plan, row in zip(planned, rows, strict=True):
        memory = (f"{number / 1e9:.2f} GB" for number in (plan, row.reserved, row.in_use))
        times = (f"{number * 1e3:.1f} ms" for number in (row.encode_one, row.encode_eight))
        table.add_row(row.mode, *memory, *times, f"{1 / row.step:.0f}")
    Console(soft_wrap=True).print(f"{size} on {torch.cuda.get_device_name()}, one conversation of 2,000 tokens with a picture", table)
    for name, count in same.items():
        typer.echo(f"same tokens, {name}: {count} of {TOKENS}")
