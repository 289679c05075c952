"""`gander train DATA --base NAME`: the release's two stages, or an adapter, on pictures that people have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from engine.console_app import ConsoleGroup
from engine.layers.modes import Quantization

if TYPE_CHECKING:
    from accelerate import Accelerator

    from engine.training.alignment.dataset import Dataset
    from engine.training.alignment.parts import PartName
    from engine.training.alignment.recipe import Precision
    from engine.training.alignment.templates import Stage

DATA_COMMAND = "data"  # what `gander train PATH …` means
HELP = ("-h", "--help")
PARTS = ("projection", "qformer", "lora")


class DataOrCommand(ConsoleGroup):
    """`gander train pocket …` is a command; what begins otherwise is `gander train data …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in HELP:
            args = [DATA_COMMAND, *args]
        return super().parse_args(ctx, args)


Base = Annotated[str, typer.Option(help="The model to start from: a ready model's name or folder.")]
Train = Annotated[str, typer.Option(metavar="PARTS", help="projection | qformer (and projection) | lora; several with commas between.")]
Data = Annotated[list[Path], typer.Argument(help="Folders of picture.jpg with picture.txt, tables, .tar shards, exports of /demo.")]


def train_data(
    data: Data,
    base: Base,
    out: Annotated[Path | None, typer.Option(help="The model's folder to make. A stopped run goes on in it.", file_okay=False)] = None,
    stage: Annotated[int, typer.Option(min=1, max=2, help="1: captions without a prompt; 2: chats, in the model's template.")] = 2,
    train: Train = "projection",
    check: Annotated[bool, typer.Option("--check", metavar="", help="Look at data, cost and ten rows' tokens; train nothing.")] = False,
    bad: Annotated[Literal["refuse", "skip"], typer.Option(help="What to do with rows that can't be used.")] = "refuse",
    images: Annotated[Path | None, typer.Option(help="Where a table's pictures lie. Default: beside it.", file_okay=False)] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the release's, 20,000 in stage 1 and 400 in stage 2.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs a step, over all GPUs. Default: 256 in stage 1, 12 in stage 2.")] = None,
    micro_batch: Annotated[int | None, typer.Option(min=1, help="Pairs that a GPU computes at once: less memory, same result.")] = None,
    rate: Annotated[float | None, typer.Option(help="The highest learning rate. Default: 1e-4 in stage 1, 3e-5 in stage 2.")] = None,
    warm_up: Annotated[int | None, typer.Option(min=0, help="Steps until the highest rate. Default: a quarter, a fifth of all.")] = None,
    longest: Annotated[int, typer.Option(min=1, help="Tokens of answers that a row teaches; the rest is cut off.")] = 160,
    held_out: Annotated[float, typer.Option(min=0, max=0.5, help="Share of the rows (200 at most) that only judge.")] = 0.05,
    every: Annotated[int | None, typer.Option(min=1, help="Steps between two looks at the held-out rows. Default: a fifth.")] = None,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 100,
    show: Annotated[int, typer.Option(min=0, help="Pictures whose answers are told at every look.")] = 4,
    features_on_disk: Annotated[
        bool, typer.Option("--features-on-disk", metavar="", help="Keep what the frozen eye sees on disk, not in memory.")
    ] = False,
    precision: Annotated[
        Literal["bf16", "fp16", "fp32"] | None, typer.Option(help="Default: bf16 on a GPU that can, fp32 on a CPU.")
    ] = None,
    quantize: Annotated[Literal["none", "int8", "4bit"], typer.Option(help="Keep the frozen language model in 8 or 4 bits.")] = "none",
    rank: Annotated[int, typer.Option(min=1, help="Of LoRA.")] = 8,
    alpha: Annotated[float, typer.Option(help="LoRA is scaled by alpha / rank.")] = 16.0,
    layers: Annotated[
        int | None, typer.Option(min=1, help="LoRA on the last so many layers only; those before compute each row once.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes to start, one a GPU; on CPUs they share the cores.")] = 1,
    seed: Annotated[int, typer.Option(help="Same seed, same order, same losses on the same machine.")] = 42,
) -> None:
    """Train a model on your own pictures. `--check` first: it shows what would be learned, and what that takes."""
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        sys.exit(start_processes(processes))
    from engine.training.alignment.check import check_run
    from engine.training.alignment.opening import default_precision, open_accelerator, open_base
    from engine.training.alignment.parts import AdapterOptions, train_parts
    from engine.training.alignment.recipe import settings_of
    from engine.training.alignment.run import RunOptions, train_model

    names = chosen_parts(train)
    if layers is not None and "lora" not in names:
        raise typer.BadParameter("--layers says where LoRA is: it needs --train lora.")
    computed: Precision = precision or default_precision()
    if computed == "fp16" and default_precision() == "fp32":
        raise typer.BadParameter("--precision fp16 scales its losses, which takes a GPU. On a CPU give bf16 or fp32.")
    settings = settings_of(
        base, cast("Stage", stage), names, computed, steps=steps, batch=batch, rate=rate, warm_up=warm_up, longest=longest, seed=seed,
        held_out=held_out, adapter=AdapterOptions(rank, alpha, layers),
    )  # fmt: skip
    accelerator = open_accelerator(computed)
    dataset = read_data(data, images, accelerator)
    if not check and bad == "refuse":
        dataset.refuse_bad()
    model, folder = open_base(base, accelerator.device, computed, cast("Quantization", quantize))
    import torch

    torch.manual_seed(seed)  # new adapters begin at random
    trained = train_parts(model, names, settings.adapter)
    if check:
        check_run(trained, dataset, settings, typer.echo)
        return
    if out is None:
        raise typer.BadParameter("give --out, the folder of the model to make; or --check.")
    options = RunOptions(out, bad, features_on_disk, save_every, every or max(1, settings.steps // 5), show, micro_batch)
    say = typer.echo if accelerator.is_main_process else quiet
    tell_bad(dataset, say)
    train_model(trained, folder, dataset, settings, options, accelerator, say)


def chosen_parts(train: str) -> tuple[PartName, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in train.split(",")))
    if unknown := next((name for name in names if name not in PARTS), None):
        raise typer.BadParameter(f"--train has {unknown!r}; it takes {', '.join(PARTS)}, with commas between.")
    return cast("tuple[PartName, ...]", names)


def read_data(paths: list[Path], images: Path | None, accelerator: Accelerator) -> Dataset:
    """All rows, every picture decoded once."""
    from engine.training.alignment.dataset import check_pictures
    from engine.training.alignment.formats.reading import read_rows

    def told(rows: int) -> None:
        if accelerator.is_main_process and sys.stderr.isatty():
            typer.echo(f"\r{rows:,} rows read", nl=False, err=True)

    found = check_pictures(read_rows(paths, images), told)
    if accelerator.is_main_process and sys.stderr.isatty():
        typer.echo("", err=True)
    return found


def tell_bad(dataset: Dataset, say: object) -> None:
    from engine.training.alignment.dataset import listed

    if dataset.bad and callable(say):
        count = f"{len(dataset.bad)} of {len(dataset) + len(dataset.bad)} rows"
        say(f"{count} are skipped; training/skipped.txt has all:\n{listed(dataset.bad)}")


def start_processes(count: int) -> int:
    """The same command in as many processes, by torch's own launcher; returns its exit status."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m", "engine"]
    return subprocess.run([sys.executable, *launcher, *sys.argv[1:]], check=False).returncode


def quiet(line: str) -> None:
    """Of several processes the first one speaks."""


def speed(
    base: Base = "random-7b",
    train: Train = "projection",
    pictures: Annotated[int, typer.Option(min=1, help="How many are looked at, once.")] = 3500,
    steps: Annotated[int, typer.Option(min=1)] = 400,
    batch: Annotated[int, typer.Option(min=1, help="Pairs a step.")] = 12,
    tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 160,
    quantize: Annotated[Literal["none", "int8", "4bit"], typer.Option(help="Keep the frozen language model in 8 or 4 bits.")] = "none",
    rank: Annotated[int, typer.Option(min=1, help="Of LoRA.")] = 8,
) -> None:
    """Measure the release's second stage on made-up pairs. The release took 7 minutes, on one A100."""
    from engine.training.alignment.opening import default_precision, open_accelerator, open_base
    from engine.training.alignment.parts import AdapterOptions, train_parts
    from engine.training.alignment.speed import measure_speed

    precision = default_precision()
    accelerator = open_accelerator(precision)
    model, _ = open_base(base, accelerator.device, precision, cast("Quantization", quantize))
    trained = train_parts(model, chosen_parts(train), AdapterOptions(rank, 2.0 * rank))
    typer.echo(f"{base}, {train}, {precision}, {quantize}: {measure_speed(trained, accelerator, pictures, steps, batch, tokens)}")
