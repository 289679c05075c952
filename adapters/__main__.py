"""The `gander` command and the composition root: configuration, then resources, then one task group."""

from __future__ import annotations

from typing import Annotated

import typer

from adapters.cli.commands import app
from adapters.cli.database_commands import app as database
from adapters.cli.discord_commands import app as discord
from adapters.cli.engine_commands import add_engine_commands
from bot import __version__

__all__ = ["app", "main"]


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gander {__version__}")
        raise typer.Exit


@app.callback()
def gander(
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Say the version and stop.")] = False,
) -> None:
    """Show your chat a picture, ask anything about it, and your own GPU answers."""


add_engine_commands(app)
app.add_typer(database, name="db")
app.add_typer(discord, name="discord")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
