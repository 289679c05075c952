"""`gander evaluate reading`, `films`, `zoom` and `steps`: what the bot does with pictures, measured on ones that are drawn for it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.console_app import ConsoleApp

app = ConsoleApp(add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def reading(
    font: Annotated[Path | None, typer.Option(help="A font with Chinese letters; else one of a package or of the system.")] = None,
) -> None:
    """Measure how well writing in pictures is read: character error rates by kind of page."""
    from adapters.evaluation.reading import measure_all
    from adapters.evaluation.reading_pages import chinese_font
    from adapters.terminal.console import ending

    with ending():
        chinese = font or chinese_font()
        scores = asyncio.run(measure_all(chinese))
    table = Table("pages", "character errors without spaces", "with spaces", "seconds a page")
    for group, score in scores.items():
        mean = sum(score.seconds) / len(score.seconds)
        table.add_row(group, f"{score.without_spaces:.2%}", f"{score.with_spaces:.2%}", f"{mean:.1f}")
    Console().print(table)
    if chinese is None:
        typer.echo("No Chinese pages: no font was found. pip install pylopdf-fonts-zh-cn, or --font FILE.")


@app.command()
def films(
    model: Annotated[str | None, typer.Option(help="A model's name or folder; else pocket.")] = None,
    engine_url: Annotated[str | None, typer.Option(help="Ask an engine that runs already (its key in GANDER_ENGINE_KEY).")] = None,
    count: Annotated[int, typer.Option(help="Films of each kind.")] = 20,
) -> None:
    """Measure how well questions about films are answered, with their frames in order and shuffled."""
    from adapters.terminal.console import run

    run(measure_films(model, engine_url, count))


async def measure_films(model: str | None, engine_url: str | None, count: int) -> None:
    from adapters.cli.engine_access import open_engine
    from adapters.errors import UsageError
    from adapters.evaluation.films import measure
    from bot.config.load import data_home
    from bot.media.films import REMEDY, can_open_films

    if not can_open_films():
        raise UsageError(f"What opens films is not installed. {REMEDY}.")
    async with open_engine(Console(stderr=True), data_home(os.environ), model, engine_url) as (client, health):
        found = await measure(client, health.model, count)
    table = Table(f"{health.model}, {count} films of each kind", "frames in order", "shuffled")
    for kind, (ordered, mixed) in found.items():
        table.add_row(kind, f"{ordered / count:.0%}", f"{mixed / count:.0%}")
    Console().print(table)


Model = Annotated[str | None, typer.Option(help="A model's name or folder; else pocket.")]
EngineUrl = Annotated[str | None, typer.Option(help="Ask an engine that runs already (its key in GANDER_ENGINE_KEY).")]
Count = Annotated[int, typer.Option(help="Questions of each kind.")]


@app.command()
def zoom(model: Model = None, engine_url: EngineUrl = None, count: Count = 20) -> None:
    """Measure how well small things in large pictures are seen, with the whole picture and with the part looked at closer."""
    from adapters.terminal.console import run

    run(measure_closer(model, engine_url, count, steps=False))


@app.command()
def steps(model: Model = None, engine_url: EngineUrl = None, count: Count = 20) -> None:
    """Measure how well counting, relations and reading go in steps, against the plain answer."""
    from adapters.terminal.console import run

    run(measure_closer(model, engine_url, count, steps=True))


async def measure_closer(model: str | None, engine_url: str | None, count: int, *, steps: bool) -> None:
    from random import Random

    from adapters.cli.engine_access import open_engine
    from adapters.errors import UsageError
    from adapters.evaluation.closer import evaluator, measure_steps, measure_zoom
    from adapters.evaluation.reading_pages import matplotlib_font
    from adapters.evaluation.small_things import step_questions, zoom_questions
    from bot.config.load import data_home
    from bot.reading.reader import REMEDY, can_read

    font, random = matplotlib_font("DejaVuSans.ttf"), Random(7)  # noqa: S311  # draws scenes
    if steps and (font is None or not can_read()):
        raise UsageError(f"Signs are drawn with a font of matplotlib's and read by the extra `reading`. {REMEDY}; pip install matplotlib.")
    async with (
        open_engine(Console(stderr=True), data_home(os.environ), model, engine_url) as (client, health),
        evaluator(client, health, reads=steps) as asks,
    ):
        if steps and font is not None:
            scores = await measure_steps(asks, step_questions(count, random, font))
        else:
            scores = await measure_zoom(asks, zoom_questions(count, random))
    table = Table(f"{health.model}, {count} of each kind", "plain", "in steps" if steps else "looked at closer", "plain after all")
    for kind, score in scores.items():
        right = [f"{number / score.count:.0%}" for number in (score.plain, score.better, score.fell_back)]
        table.add_row(kind, *(right if steps else [*right[:2], ""]))
    Console().print(table)
