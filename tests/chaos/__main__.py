"""`python -m tests.chaos --minutes 30`: questions on every platform, on both databases, while everything is killed and goes wrong.

Rounds are drawn from the seed: `--seed S --first N` goes on with round N. The report is written after each round.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tests.bot import postgres
from tests.chaos.databases import Postgres, Sqlite, Store
from tests.chaos.misfortunes import Pace
from tests.chaos.rounds import Outcome, play

SEEDS_A_ROUND = 10


def main(
    minutes: Annotated[float, typer.Option(min=0, help="No round begins after so many.")] = 30.0,
    questions: Annotated[int, typer.Option(min=4, help="In each round.")] = 80,
    seed: Annotated[int, typer.Option(help="The same is drawn with the same seed.")] = 20261130,
    first: Annotated[int, typer.Option(min=0, help="The round to begin with.")] = 0,
    report: Annotated[Path, typer.Option(help="Takes the counts, and is added to if it is there.")] = Path("build/chaos.json"),
) -> None:
    """Ends with status 1 when a question was lost or answered twice, or anything else is wrong. A bad round's home is kept."""
    report.parent.mkdir(parents=True, exist_ok=True)
    rounds: list[dict[str, object]] = json.loads(report.read_text()) if report.exists() and first else []
    total, number, until = Outcome(), first, time.monotonic() + minutes * 60
    with ExitStack() as stack:
        programs = postgres.binaries()
        cluster = stack.enter_context(postgres.cluster(programs)) if programs else None
        while time.monotonic() < until:
            home = Path(tempfile.mkdtemp(prefix=f"gander-chaos-{number}-"))
            store: Store = Postgres(programs, cluster, f"chaos_{number}") if programs and cluster and number % 2 else Sqlite(home)
            found = asyncio.run(play(home, store, seed + SEEDS_A_ROUND * number, questions, Pace()))
            total.add(found)
            rounds.append({"round": number, "seed": seed, "store": store.name, **vars(found)})
            report.write_text(json.dumps(rounds, indent=1))
            typer.echo(f"round {number}, {store.name}{'' if found.good else f', NOT GOOD: {home}'}: {'; '.join(found.lines())}")
            number += 1
    typer.echo("\n".join(["", f"{number - first} rounds:", *total.lines()]))
    raise typer.Exit(0 if total.good else 1)


if __name__ == "__main__":
    typer.run(main)
