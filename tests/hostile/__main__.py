"""`python -m tests.hostile --pictures 100000`: mutated pictures of every format that Pillow opens, through both decoders.

Batches are drawn from the seed: `--seed S --first N` goes on with batch N. The report is written after each.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from tests.hostile.pictures import Outcome, drawn, engine_process, try_batch

BATCH = 1_000


def main(
    pictures: Annotated[int, typer.Option(min=1, help="How many, in batches of a thousand.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same is drawn with the same seed.")] = 20261130,
    first: Annotated[int, typer.Option(min=0, help="The batch to begin with.")] = 0,
    report: Annotated[Path, typer.Option(help="Takes the counts of each batch, and is added to if it is there.")] = Path(
        "build/hostile.json"
    ),
) -> None:
    """Ends with status 1 when a decoder crashed or let anything but a refusal through; the report holds the files that did it."""
    report.parent.mkdir(parents=True, exist_ok=True)
    batches: list[dict[str, object]] = json.loads(report.read_text()) if report.exists() and first else []
    total = Outcome()
    with engine_process() as pool:
        for number in range(first, first + -(-pictures // BATCH)):
            found = asyncio.run(try_batch(list(drawn(seed, number, BATCH)), pool))
            total.add(found)
            batches.append({"batch": number, "seed": seed, **vars(found)})
            report.write_text(json.dumps(batches, indent=1))
            typer.echo(f"batch {number}: {found.lines()[0]}")
    typer.echo("\n".join(["", *total.lines()]))
    raise typer.Exit(1 if total.crashes else 0)


if __name__ == "__main__":
    typer.run(main)
