"""`gander model …`: what models there are. Commands that fetch or convert one live in modules of their own and hang in here."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from engine.commands.model_check import check
from engine.commands.model_import import import_model
from engine.commands.model_measure import measure_model
from engine.commands.model_plan import plan
from engine.commands.pull import pull
from engine.errors import ModelError
from engine.models.card_reader import read_card
from engine.paths import models, ready_models

app = typer.Typer(no_args_is_help=True, help="Fetch, list and check models.")
app.command("check")(check)
app.command("import")(import_model)
app.command("measure")(measure_model)
app.command("plan")(plan)
app.command("pull")(pull)


@app.command("list")
def list_models() -> None:
    """Show the models that are ready to use, and where they lie."""
    table = Table("name", "kind", "weights", "size", "folder", box=None)
    damaged: list[str] = []
    for folder in ready_models():
        try:
            card = read_card(folder)
        except ModelError as error:
            damaged.append(str(error))
            continue
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        table.add_row(folder.name, card.architecture, card.quantization, f"{size / 1e6:,.0f} MB", str(folder))
    if table.row_count:
        Console(soft_wrap=True).print(table)
    elif not damaged:
        typer.echo(f"No model in {models()} yet. `gander model pull pocket` fetches the small one.")
    for reason in damaged:
        typer.secho(reason, fg="red", err=True)
