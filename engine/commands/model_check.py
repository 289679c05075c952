"""`gander model check`: what a model computes, as JSON to compare with other implementations."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engine.paths import model_folder


def check(
    model: Annotated[str, typer.Argument(help="A ready folder, or a model's name.")],
    question: Annotated[list[str], typer.Option(help="Asked in this order.")],
    picture: Annotated[list[Path] | None, typer.Option(help="Shown with the first question.", exists=True, dir_okay=False)] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(help="What stands in the context as the answer to the first, second, … question; else the model's own."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compute prompts, token ids, next-token logits and 20 greedy tokens, on the CPU in fp32."""
    import torch

    from engine.evaluation.comparison import Comparison
    from engine.images.decode import Limits, decode_picture
    from engine.weights.loader import load

    pictures = [decode_picture(path.read_bytes(), Limits()) for path in picture or []]
    comparison = Comparison(load(model_folder(model), torch.device("cpu"), exact=True), pictures)
    turns = [asdict(comparison.ask(text, given)) for text, given in zip_longest(question, (answer or [])[: len(question)])]
    if as_json:
        typer.echo(json.dumps({"model": model, "turns": turns}, ensure_ascii=False))
        return
    for turn in turns:
        for name, value in turn.items():
            Console(soft_wrap=True).print(f"{name}: {value}", markup=False, highlight=False)
