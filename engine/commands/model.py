"""`gander model …`: lists models. Each command that fetches, converts or checks one has its own module and is added here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.commands.model_check import check
from engine.commands.model_import import import_model
from engine.commands.model_measure import measure_model
from engine.commands.model_plan import plan
from engine.commands.pull import pull
from engine.errors import ModelError
from engine.hub.names import catalogue
from engine.models.card_reader import is_ready, read_card
from engine.paths import model_folder, models, ready_models

app = typer.Typer(no_args_is_help=True, help="Fetch, list and check models.")
app.command("check")(check)
app.command("import")(import_model)
app.command("measure")(measure_model)
app.command("plan")(plan)
app.command("pull")(pull)


@app.command("list")
def list_models(
    everything: Annotated[bool, typer.Option("--all", metavar="", help="Also those that are not here yet, by their short names.")] = False,
) -> None:
    """Show the models that are ready to use, and where they lie."""
    table = Table("name", "kind", "weights", "size", "folder", box=None)
    damaged: list[str] = []
    for folder in ready_models():
        try:
            card = read_card(folder)
        except ModelError as error:
            damaged.append(str(error))
            continue
        size = sum(file.stat().st_size for file in folder.resolve().rglob("*") if file.is_file())
        table.add_row(folder.name, card.kind, card.quantization, f"{size / 1e6:,.0f} MB", str(folder))
    if table.row_count:
        Console(soft_wrap=True).print(table)
    elif not damaged:
        typer.echo(f"No model in {models()} yet. `gander model pull pocket` fetches the small one.")
    for reason in damaged:
        typer.secho(reason, fg="red", err=True)
    if everything:
        list_catalogue()


def list_catalogue() -> None:
    table = Table("short name", "makers", "licence", "parameters", "repository", "here", box=None)
    for name, entry in catalogue().items():
        here = "yes" if is_ready(models() / name) else ""
        table.add_row(name, entry.makers, entry.licence, f"{entry.parameters:g} billion", entry.repository, here)
    typer.echo("\nTo be had by `gander model pull SHORT-NAME`, or any repository of these kinds by owner/name:\n")
    Console(soft_wrap=True).print(table)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="A model that is here (`gander model list`).")],
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Don't ask.")] = False,
) -> None:
    """Remove a model and free its disk space; what other programs fetched into the hub's cache goes with it."""
    from engine.hub.remove import remove_model, takes

    folder = model_folder(name)
    if not yes:
        typer.confirm(f"Remove {folder} and free {takes(folder) / 1e6:,.0f} MB?", abort=True)
    typer.echo(f"Removed, {remove_model(folder, models()) / 1e6:,.0f} MB freed.")
