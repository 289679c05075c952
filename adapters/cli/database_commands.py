"""`gander db …`: the names, options and help of the commands that look after the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.console_app import ConsoleApp

app = ConsoleApp(help="Check, back up, restore and migrate the database and the pictures.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option(help="The configuration; else gander.toml here or in ~/.config/gander.")]


@app.callback()
def database() -> None:
    """Check, back up, restore and migrate the database and the pictures."""


@app.command()
def check(config: Config = None) -> None:
    """Look for damage, an old schema, rows and files that belong to nothing. Changes nothing; works while Gander runs.

    Exit status: 0 nothing is damaged, 1 something is, and the line says what to do.
    """
    from adapters.cli.database import check_all
    from adapters.terminal.console import ending

    with ending():
        sound = check_all(config)
    if not sound:
        raise typer.Exit(1)


@app.command()
def backup(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where to, a folder that is not there yet; else one named by the time in the data folder's backups."),
    ] = None,
    config: Config = None,
) -> None:
    """Copy the database and its pictures while Gander runs: SQLite from one snapshot, PostgreSQL by pg_dump.

    Exit status: 0 the backup is whole, 1 there is none, and the line says why.
    """
    from adapters.cli.database import back_up_all
    from adapters.terminal.console import ending

    with ending():
        back_up_all(config, folder)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `gander db backup` made.")],
    replace: Annotated[bool, typer.Option("--replace", help="Over a database that is in use; a backup of that is made first.")] = False,
    config: Config = None,
) -> None:
    """Put a backup back. Stop Gander first. Nothing is changed unless the backup is whole.

    Exit status: 0 it is back, 1 nothing was changed, and the line says why.
    """
    from adapters.cli.database import restore_all
    from adapters.terminal.console import ending

    with ending():
        restore_all(config, folder, replace=replace)


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the tables up to date, as every start of Gander does, after a backup of a SQLite database. Stop Gander first.

    Exit status: 0 they are up to date, 1 they are as they were, and the line says why.
    """
    from adapters.cli.database import migrate_all
    from adapters.terminal.console import ending

    with ending():
        migrate_all(config)
