"""`gander model …`: lists models. Each command that fetches, converts or checks one has its own module and is added here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.commands.model_check import check
from engine.commands.model_import import import_model
from engine.commands.model_measure import measure_model
from engine.commands.model_merge import merge
from engine.commands.model_plan import plan
from engine.commands.model_quantize import quantize
from engine.commands.pull import pull
from engine.console_app import ConsoleApp
from engine.errors import ModelError
from engine.hub.names import MINIGPT4, Entry, Wanted, catalogue
from engine.models.card_reader import is_ready, read_card
from engine.paths import model_folder, models, ready_models

FORMS = ("16 bit", "int8", "4 bit")
ON_LLAMA, ON_LLAMA2 = ("research only (LLaMA)", "", "four public parts"), ("Llama 2", "yes", "Llama 2 is gated; by hand: its projection")
RELEASES = {  # memory by `gander model plan`, one conversation; licence, gated, and where its parts are
    "minigpt4-7b": ((17.0, 10.4, 7.3), ON_LLAMA),
    "minigpt4-13b": ((30.1, 17.3, 11.3), ON_LLAMA),
    "minigpt4-llama2-7b": ((16.8, 10.2, 7.2), ON_LLAMA2),
    "minigpt-v2-7b": ((16.8, 10.2, 7.2), ON_LLAMA2),
}

app = ConsoleApp(no_args_is_help=True, help="Fetch, list and check models.")
app.command("check")(check)
app.command("import")(import_model)
app.command("measure")(measure_model)
app.command("merge")(merge)
app.command("plan")(plan)
app.command("pull")(pull)
app.command("quantize")(quantize)


@app.command("list")
def list_models(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are not here yet, by their short names.")] = False,
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
    """What can be fetched by a short name, and how it would run here; a repository that is gated says so here and before a download."""
    from engine.hub.automatic import this_machine

    machine = this_machine()
    columns = ("short name", "makers", "licence", "gated", "size", "fits here", "computed by", "repository", "here")
    table = Table(*columns, box=None)
    for name, entry in catalogue().items():
        here = "yes" if is_ready(models() / name) else ""
        form = form_here(entry, machine.card if machine.card is not None else machine.main, on_card=machine.card is not None)
        way = "Gander" if entry.native else "transformers"
        gated = "yes" if entry.gated else ""
        table.add_row(name, entry.makers, entry.licence, gated, f"{2 * entry.parameters:.1f} GB", form, way, entry.repository, here)
    for name in MINIGPT4:
        here = "yes" if is_ready(models() / name) else ""
        size, (licence, gated, where) = RELEASES[name]
        free = machine.card if machine.card is not None else machine.main
        form = "?" if free is None else fitting(size, free)
        table.add_row(name, "Vision-CAIR, KAUST", licence, gated, f"{size[0]:.1f} GB", form, "Gander", where, here)
    typer.echo("\nTo be had by `gander run --model SHORT-NAME`, or any repository of these kinds by owner/name. Sizes are arithmetic:\n")
    Console(soft_wrap=True).print(table)


def form_here(entry: Entry, free: int | None, *, on_card: bool) -> str:
    """The most exact form with room; `?` where nobody tells. A processor takes 4 bit."""
    if entry.memory is None or free is None:
        return "?"
    if not on_card:
        return "4 bit" if entry.memory[-1] <= free / 1e9 else "no"
    return fitting(entry.memory, free)


def fitting(sizes: tuple[float, float, float], free: int) -> str:
    return next((form for form, size in zip(FORMS, sizes, strict=True) if size <= free / 1e9), "no")


@app.command("pin")
def pin() -> None:
    """Print the catalogue's newest commits, to be written into engine/hub/catalogue.toml: what was looked at is then what people get."""
    from engine.hub.listing import look_up

    for name, entry in catalogue().items():
        found = look_up(Wanted(entry.repository))
        typer.echo(f'[{name}]  commit = "{found.commit}"  # {entry.repository}, licence: {found.licence}{", gated" if found.gated else ""}')


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="A model that is here (`gander model list`).")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Remove a model and free its disk space; what other programs fetched into the hub's cache goes with it."""
    from engine.hub.remove import remove_model, takes

    folder = model_folder(name)
    if not yes:
        typer.confirm(f"Remove {folder} and free {takes(folder) / 1e6:,.0f} MB?", abort=True)
    typer.echo(f"Removed, {remove_model(folder, models()) / 1e6:,.0f} MB freed.")
