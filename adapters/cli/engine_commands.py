"""`gander engine|model|evaluate|train|bench`: handed on to `python -m engine`, so that this process never meets torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

POCKET = "pocket"  # the small model, which anyone can fetch

HANDED_ON = {
    "engine": "Serve a model to OpenAI clients (chat completions over HTTP).",
    "cluster": "Serve a model from many GPUs, on Ray Serve.",
    "model": "Fetch, list and check models.",
    "train": "Train a model on your own pictures: `gander train DATA --base NAME --out DIR`.",
}
BENCH = "Measure how fast a model answers, beside the peers installed with it; `gander bench bot`: what the bot itself costs."

EVALUATE = (
    "Measure how well a model answers, on pictures it has never seen; `gander evaluate reading`: how well writing is read; "
    "`… films`, `… zoom`, `… steps`."
)


def add_engine_commands(app: typer.Typer) -> None:
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    for name, text in HANDED_ON.items():
        app.command(name, help=text, context_settings=settings, rich_help_panel="The engine")(become_engine)
    app.command("evaluate", help=EVALUATE, context_settings=settings, rich_help_panel="The engine")(evaluate)
    app.command("bench", help=BENCH, context_settings=settings, rich_help_panel="The engine")(bench)


def bench(context: typer.Context) -> None:
    """The bot is measured by a command of ours, since it knows no torch; everything else by the engine."""
    if context.args[:1] == ["bot"]:
        from adapters.cli.bench_bot import app

        app(context.args[1:], prog_name="gander bench bot")
    become_engine(context)


def evaluate(context: typer.Context) -> None:
    """What reads writing is the bot's; models are measured by the engine."""
    if context.args[:1] in (["reading"], ["films"], ["zoom"], ["steps"]):
        from adapters.cli.evaluate import app

        app(context.args, prog_name="gander evaluate")
    become_engine(context)


def become_engine(context: typer.Context) -> None:
    """Become the engine's command: its output, its signals and its exit status are ours."""
    from bot.config.load import data_home

    need_engine()
    arguments = engine_command(str(context.info_name), *context.args)
    os.execve(arguments[0], arguments, engine_environment(data_home(os.environ)))  # noqa: S606 - no shell is meant


def fetch_model(home: Path, model: str = POCKET, *, quiet: bool = False) -> None:
    """Make a model ready, on the same terminal: at once where it is. Ends the process with the status of what failed.

    `quiet`: what is said goes to standard error.
    """
    need_engine()
    output = sys.stderr if quiet else None
    if status := subprocess.run(
        engine_command("model", "pull", model), env=engine_environment(home), stdout=output, check=False
    ).returncode:
        sys.exit(status)


def make_ready(home: Path, model: str, *, quiet: bool = False) -> None:
    """Fetch a model that is not here, after saying what that takes."""
    from bot.engines.discovery import model_folder

    if model_folder(home, model) is None:
        fetch_model(home, model, quiet=quiet)


def need_engine() -> None:
    """Ends the process with what to install where the engine is not."""
    from adapters.terminal.console import ending
    from bot.engines.process import check_installed

    with ending():
        check_installed()


def engine_command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "engine", *arguments]  # -P: a folder named `engine` where the person stands is not ours


def engine_environment(home: Path) -> dict[str, str]:
    """For a command of the engine's that a person runs: with their hub's token and the engine's key, without the bot's own secrets."""
    from bot.config.load import SECRETS

    bots = {secret.variable for secret in SECRETS if secret.section != "engine"}
    return {name: value for name, value in os.environ.items() if name not in bots} | {"GANDER_HOME": str(home.absolute())}
