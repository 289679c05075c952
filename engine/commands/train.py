"""`gander train DATA …`: trains a model on anyone's pictures; `gander train pocket …` makes the pocket model's bridge, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.progress_bars import download_lines
from engine.commands.train_data import DATA_COMMAND, DataOrCommand, speed, train_data
from engine.console_app import ConsoleApp

if TYPE_CHECKING:
    from accelerate import Accelerator

    from engine.training.run import FrozenParts

app = ConsoleApp(cls=DataOrCommand, no_args_is_help=True, help="Train a model on your own pictures: `gander train DATA --base NAME`.")
app.command(DATA_COMMAND)(train_data)
app.command("speed")(speed)
pocket = ConsoleApp(invoke_without_command=True, help="The pocket model's bridge: all of its recipe with --folder, or one stage of it.")
app.add_typer(pocket, name="pocket")

Folder = Annotated[Path, typer.Option(help="Where prepared data, checkpoints and logs lie.")]
Model = Annotated[str, typer.Argument(help="A ready model's name or folder: pocket.")]
Data = Annotated[Path, typer.Argument(help="What `prepare` made.", exists=True, file_okay=False)]
Seed = Annotated[int, typer.Option(help="Same seed, same result on the same machine.")]


@pocket.callback()
def whole(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option(help="Make the whole bridge here, or go on with it.", file_okay=False)] = None,
    model: Annotated[str, typer.Option(help="A ready model whose frozen parts are used.")] = "pocket",
    share: Annotated[float, typer.Option(min=0.0001, max=1, help="Of the scenes, steps and pairs: less is a trial.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="That compose scenes.")] = 2,
) -> None:
    """Fetches drawings, prepares scenes, trains both stages, measures beside what is stated, and writes bridge.safetensors."""
    if context.invoked_subcommand is not None:
        return
    if folder is None:
        typer.echo(context.get_help())
        return
    from engine.training.recipe import PocketRecipe, make_bridge

    folder.mkdir(parents=True, exist_ok=True)
    if not (drawn := folder / "sprites.npz").exists():
        sprites(drawn)
    accelerator, _ = _start(model)
    make_bridge(lambda: _start(model)[1], drawn, folder, PocketRecipe().scaled(share), processes, accelerator, typer.echo)
    typer.echo(f"Ready: {folder / 'bridge.safetensors'}")


@pocket.command()
def sprites(
    path: Annotated[Path, typer.Argument(help="The sprite file to write.")],
    downloads: Annotated[Path | None, typer.Option(help="Where packages are kept; default: Gander's downloads.")] = None,
) -> None:
    """Fetch packaged, openly licensed drawings (180 MB) and make sprites of them."""
    from engine.paths import home
    from engine.training.drawings import make_sprites

    made = make_sprites(path, downloads or home() / "downloads", download_lines())
    typer.echo(f"{made} sprites in {path}")


@pocket.command()
def prepare(
    sprites: Annotated[Path, typer.Option(help="The sprite file that `gander train pocket sprites` made.")],
    folder: Folder,
    scenes: int = 100_000,
    chats: Annotated[int, typer.Option(help="Conversations about each scene.")] = 2,
    processes: int = 2,
    seed: Seed = 0,
    without: Annotated[str, typer.Option(help="A style of sprites to leave out, for measuring.")] = "",
    only: Annotated[str, typer.Option(help="The one style of sprites to use.")] = "",
) -> None:
    """Compose scenes and write conversations about them."""
    from engine.training.data import Recipe
    from engine.training.data import prepare as make

    make(folder, Recipe(sprites, seed, chats, without, only), scenes, processes)


@pocket.command()
def look(model: Model, data: Data, folder: Folder, steps: int = 900, batch: int = 512, rate: float = 1e-3, seed: Seed = 0) -> None:
    """Stage 1: learn what stands where, in which colour, and what drawn things are called."""
    from engine.training import run
    from engine.training.loop import Schedule

    folder.mkdir(parents=True, exist_ok=True)
    accelerator, parts = _start(model)
    run.train_vision(parts, data, folder, Schedule(steps, rate, seed), batch, accelerator, typer.echo)


@pocket.command()
def speak(model: Model, data: Data, folder: Folder, steps: int = 1500, batch: int = 128, rate: float = 6e-4, seed: Seed = 0) -> None:
    """Stage 2: learn to answer from what was seen."""
    from engine.training import run
    from engine.training.loop import Schedule

    accelerator, parts = _start(model)
    run.train_language(parts, data, folder, Schedule(steps, rate, seed), batch, accelerator, typer.echo)


@pocket.command()
def measure(model: Model, data: Data, folder: Folder) -> None:
    """Measure both stages on prepared data that they were not trained on."""
    from engine.training.measure import measure_language, measure_vision
    from engine.training.run import read_bridge

    accelerator, parts = _start(model)
    bridge = read_bridge(folder / "look.safetensors", parts.language.config.hidden_size, accelerator.device)
    seen = measure_vision(parts, bridge, data, accelerator)
    share, count, wrong = measure_language(parts, folder, data, accelerator)
    for key, (value, n) in {**seen, "answers word for word": (share, count)}.items():
        typer.echo(f"{key}: {value:.3f} of {n}")
    (folder / "measured.json").write_text(json.dumps({**seen, "answers": (share, count)}, indent=1))
    (folder / "failures.txt").write_text("\n".join(wrong))


@pocket.command()
def export(folder: Folder, path: Annotated[Path, typer.Argument(help="The safetensors file to write.")]) -> None:
    """Join both stages into the bridge that the repository ships."""
    from engine.training.run import export as join

    join(folder, path)


@pocket.command()
def curve(folder: Folder, path: Annotated[Path, typer.Argument(help="The PNG to write.")]) -> None:
    """Draw the loss of both stages."""
    from engine.training.curve import draw_curve

    draw_curve(folder, path)


def _start(model: str) -> tuple[Accelerator, FrozenParts]:
    import torch
    from accelerate import Accelerator

    from engine.paths import model_folder
    from engine.training.run import FrozenParts

    accelerator = Accelerator(mixed_precision="bf16" if torch.cuda.is_available() else "no")
    dtype = torch.bfloat16 if accelerator.device.type == "cuda" else torch.float32
    return accelerator, FrozenParts.load(model_folder(model), accelerator.device, dtype)
