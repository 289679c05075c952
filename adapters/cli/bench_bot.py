"""`gander bench bot`: what the bot itself costs, apart from any engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.console_app import ConsoleApp

app = ConsoleApp(add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


EXPLAINED = "\n\n".join(
    (
        "Measure how soon the bot starts, what memory it takes, and what it adds to a message.",
        "It runs as with `gander run`, in a process of its own, with every platform's library that is installed; the engine is a stand-in "
        "in another process, which needs no time to think; the platform takes none to show.",
        "What is added to a question: from when it is sent until the engine has the request, and from when the engine sends its first "
        "words until the platform is told. The edits that follow are paced on purpose and not counted.",
        "What is added to people's talk, which a bot in a group hears and does not answer: until it is dealt with.",
    )
)


@app.command(help=EXPLAINED)
def bench_bot(
    rate: Annotated[float, typer.Option(min=1, help="Messages a second, at times of their own: a slow bot is not waited for.")] = 200,
    asks: Annotated[float, typer.Option(min=0, max=1, help="The share of them that asks the bot; the others are people's talk.")] = 0.1,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long, besides three seconds of warming up.")] = 20,
    words: Annotated[int, typer.Option(min=1, help="Of each answer; 40 come in a second.")] = 60,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here, as JSON.", dir_okay=False)] = None,
) -> None:
    """Measure how soon the bot starts, what memory it takes, and what it adds to a message."""
    from adapters.bench.measure import Load, measure
    from adapters.bench.report import heading, report, table
    from adapters.terminal.console import consoles, ending

    load = Load(rate, asks, seconds, words)
    with ending():
        found = report(load, measure(load))
    if json_file:
        json_file.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    consoles()[0].print(heading(found), "", table(found), sep="\n")
    if found.lost:
        raise typer.Exit(1)
