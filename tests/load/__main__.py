"""`python -m tests.load --people 100 --minutes 2`: how long people wait in full rooms, and whether anything is lost or said twice.

The figures are of this machine and say little about another: name it beside them. `--simulate --channels 10000 --gpus 100 --rows 64` asks
the fair queue alone, in virtual time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from pathlib import Path
from typing import Annotated

import structlog
import typer

from bot.config.load import data_home
from tests.load.run import Load, play
from tests.load.simulate import System, lines, simulate


def main(
    people: Annotated[int, typer.Option(min=1, help="In rooms of 25, each with a demo running.")] = 100,
    minutes: Annotated[float, typer.Option(min=0.01, help="How long they ask; what is in line then is still answered.")] = 2.0,
    engine: Annotated[str, typer.Option(help="stand-in, or a model in GANDER_HOME such as pocket.")] = "stand-in",
    speed: Annotated[float, typer.Option(min=0.1, help="The stand-in's words a second in each row.")] = 40.0,
    rows: Annotated[int, typer.Option(min=1, help="Answers that the stand-in writes at once.")] = 8,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between one person's questions, on average.")] = 45.0,
    seed: Annotated[int, typer.Option(help="The same people do the same with the same seed.")] = 7,
    simulated: Annotated[bool, typer.Option("--simulate", help="Instead: the fair queue alone, in virtual time.")] = False,
    channels: Annotated[int, typer.Option(min=1, help="With --simulate: channels that ask.")] = 10_000,
    gpus: Annotated[int, typer.Option(min=1, help="With --simulate: GPUs with --rows each.")] = 1,
    load: Annotated[float, typer.Option(min=0.01, max=0.99, help="With --simulate: the share of them that is asked for.")] = 0.9,
    answer_seconds: Annotated[float, typer.Option(min=0.01, help="With --simulate: of an answer, on average.")] = 2.5,
    questions: Annotated[int, typer.Option(min=100, help="With --simulate: questions that are asked.")] = 50_000,
) -> None:
    """Ends with status 1 when an answer was lost or given twice."""
    if simulated:
        system = System(channels, gpus * rows, answer_seconds, load)
        typer.echo("\n".join(lines(system, simulate(system, questions, seed))))
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    played = Load(people, minutes * 60, every, engine, speed, rows)
    with tempfile.TemporaryDirectory() as home:
        found = asyncio.run(play(played, Path(home), data_home(os.environ), seed))
    typer.echo("\n".join(found.lines()))
    raise typer.Exit(0 if found.good else 1)


if __name__ == "__main__":
    typer.run(main)
