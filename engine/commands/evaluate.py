"""`gander evaluate`: how good the pocket model is on pictures that it has never seen, or any model on somebody's data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from engine.commands.progress_bars import download_lines
from engine.commands.pull import Source
from engine.paths import home, model_folder

Limit = Annotated[int | None, typer.Option(min=1, help="At most so many conversations a suite: a quick look.")]
Failures = Annotated[Path | None, typer.Option(help="Write every wrong answer to this file, one a line.", dir_okay=False)]
Quantize = Annotated[
    Literal["auto", "q4_1", "int8", "4bit", "none"], typer.Option(help="auto: as the engine would here; none computes in fp32.")
]


def evaluate(
    name: Annotated[str, typer.Argument(help="A model's name or folder; without DATA: pocket.")] = "pocket",
    data: Annotated[
        list[Path] | None,
        typer.Argument(help="Data in any form that `gander train` reads: the answers are held against it (exact match, F1, CIDEr)."),
    ] = None,
    quantize: Quantize = "auto",
    limit: Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    failures: Failures = None,
    adapter: Annotated[str | None, typer.Option(metavar="NAME=FOLDER", help="With DATA: answer with this LoRA adapter.")] = None,
    base: Annotated[str | None, typer.Option(help="With DATA: a model to compare with; for an adapter, the model without it.")] = None,
    page: Annotated[Path | None, typer.Option(help="With DATA: write samples side by side to this HTML file.", dir_okay=False)] = None,
    max_tokens: Annotated[int, typer.Option(help="With DATA: tokens of an answer at most.", min=1)] = 100,
    source: Source = None,
) -> None:
    """Ask the model about held-out pictures and judge its answers. The whole takes about ten minutes on two cores, `--limit 10` one.

    With DATA any model is asked what the data asks; `--limit` is then how many questions at most.

    The pictures come from packages (190 MB, once): OpenMoji by npm, Tux Paint's stamps by apt, scikit photos by pip. Scenes are drawn here.
    """
    if data:
        from engine.commands.evaluate_data import evaluate_data
        from engine.commands.serve import parse_adapters

        chosen = next(iter(parse_adapters([adapter] if adapter else []).items()), None)
        evaluate_data(
            name,
            data,
            adapter=chosen,
            base=base,
            quantize=quantize,
            limit=limit,
            max_tokens=max_tokens,
            page=page,
            as_json=as_json,
        )
        return
    # Torch and the model's code cost seconds, which `--help` should not.
    from engine.device.devices import default_device
    from engine.evaluation.held_out import HeldOut
    from engine.evaluation.report import as_json as written
    from engine.evaluation.report import failures as listed
    from engine.evaluation.report import line, table
    from engine.evaluation.session import evaluate_model
    from engine.evaluation.suites.pocket import SUITES
    from engine.models.card_reader import read_card
    from engine.weights.loader import choose

    folder = model_folder(name)
    quantization = choose(folder, read_card(folder), (default_device(),), quantize)
    started = time.monotonic()
    results = []
    held_out = HeldOut(home() / "downloads", source, download_lines())
    for result in evaluate_model(folder, SUITES, held_out, quantization=quantization, limit=limit):
        results.append(result)
        typer.echo(line(result), err=True)
    seconds = time.monotonic() - started
    if failures:
        failures.write_text(listed(results), "utf-8")
    if as_json:
        typer.echo(written(results, name, quantization, seconds))
    else:
        Console().print(table(results))
        typer.echo(f"{name}, {quantization}: {seconds:.0f} s.")
    if any(result.is_met is False for result in results):
        raise typer.Exit(1)
