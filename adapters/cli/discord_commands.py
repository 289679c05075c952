"""`gander discord …`: what the operator of a Discord bot needs before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.console_app import ConsoleApp

app = ConsoleApp(help="Set up the Discord bot.", no_args_is_help=True)


@app.callback()
def discord() -> None:
    """Set up the Discord bot."""


@app.command()
def invite(
    config: Annotated[Path | None, typer.Option(help="The configuration; else gander.toml here or in ~/.config/gander.")] = None,
) -> None:
    """Print the links that add the bot, with exactly the permissions that it needs."""
    from adapters.cli.discord_invite import print_links

    print_links(config)
