"""`gander evaluate`: how good the pocket model is on pictures that it has never seen."""

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
Quantize = Annotated[Literal["auto", "q4_1", "int8", "none"], typer.Option(help="auto: as the engine would here; none computes in fp32.")]


def evaluate(
    name: Annotated[str, typer.Argument(help="Which model: pocket.")] = "pocket",
    quantize: Quantize = "auto",
    limit: Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    failures: Failures = None,
    source: Source = None,
) -> None:
    """Ask the model about held-out pictures and judge its answers. The whole takes about ten minutes on two cores, `--limit 10` one.

    The pictures come from packages (190 MB, once): OpenMoji by npm, Tux Paint's stamps by apt, scikit photos by pip. Scenes are drawn here.
    """
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
