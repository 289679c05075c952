"""The `gander` command and the composition root: configuration, then resources, then one task group."""

from __future__ import annotations

import typer

from bot import __version__

app = typer.Typer(no_args_is_help=True, help="Show your chat a picture, ask anything about it, and your own GPU answers.")


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gander {__version__}")
        raise typer.Exit


@app.callback()
def gander(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Say the version and stop."),
) -> None:
    """Take a gander."""


def main() -> None:
    app()


if __name__ == "__main__":
    main()
