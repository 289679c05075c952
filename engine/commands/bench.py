"""`gander bench`: how fast this machine answers, measured beside the peers that are installed with us."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from engine.commands.pull import ready_folder
from engine.commands.serve import parse_capability
from engine.layers.modes import Quantization

if TYPE_CHECKING:
    from engine.bench.report import Report

NAMES = ("one", "streams", "beams", "encode", "turns")
PIPED = 160  # columns, where no terminal says how many it has
MODES: tuple[Quantization, ...] = get_args(Quantization)


def named(known: Collection[str]) -> Callable[[list[str] | None], list[str] | None]:
    """For options that take several words, each one of `known`."""

    def check(given: list[str] | None) -> list[str] | None:
        for word in given or ():
            if word not in known:
                raise typer.BadParameter(f"{word!r} is none of {', '.join(known)}.")
        return given

    return check


def bench(
    model: Annotated[
        str,
        typer.Option(
            help="A model's name or folder; or a real shape with random weights: random-7b and random-13b (MiniGPT-4), "
            "random-qwen3-vl-2b, -4b and -8b, random-llava-7b, random-smolvlm-500m."
        ),
    ] = "pocket",
    device: Annotated[str | None, typer.Option(help="torch's name of the device. Default: the first GPU, else cpu.")] = None,
    capability: Annotated[
        str | None, typer.Option(help="Compute as a card of this compute capability would, such as 7.5: fp16, kernels compiled for it.")
    ] = None,
    quantize: Annotated[
        list[str] | None,
        typer.Option(
            help="A mode of our engine; given again, more. `none` brings the peers along. Default: none and what is fast here.",
            callback=named(MODES),
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What to measure, of {', '.join(NAMES)}; given again, more. Default: all on a GPU, else `one`.", callback=named(NAMES)
        ),
    ] = None,
    streams: Annotated[
        list[int] | None, typer.Option(help="How many people at once; given again, more. Default: 8, 32, 64.", min=2)
    ] = None,
    beams: Annotated[int, typer.Option(help="Beams of `--scenario beams`.", min=2, max=10)] = 5,
    turns: Annotated[int, typer.Option(help="Length of `--scenario turns`.", min=200)] = 1000,
    rounds: Annotated[int, typer.Option(help="How often each is measured, besides a warm-up.", min=1)] = 3,
    tokens: Annotated[int | None, typer.Option(help="Length of each answer. Default: 128 on a GPU, else 64.", min=4)] = None,
    llama_cpp: Annotated[
        Path | None,
        typer.Option(
            "--llama-cpp",
            help="Measure llama.cpp too: a folder with its programs and with *.gguf of this model.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here, as JSON.", dir_okay=False)] = None,
    png_file: Annotated[Path | None, typer.Option("--png", help="Draw tokens/s against concurrency here.", dir_okay=False)] = None,
) -> None:
    """Measure our engine and transformers' ways to generate, in one run on the same weights, against the memory's speed.

    `gander bench bot --help`: what the bot itself costs, without an engine.
    """
    from engine.bench.chart import check_matplotlib, draw_chart
    from engine.bench.choose_contenders import contender_choices, rows_needed, scenarios
    from engine.bench.llama_cpp import beside_llama_cpp, find_models
    from engine.bench.models import RANDOM, opener
    from engine.bench.run import Bench
    from engine.bench.table import heading, remarks, table
    from engine.bench.transformers_contenders import quiet_transformers
    from engine.device.devices import default_device, find_device

    quiet_transformers()
    place = find_device(device) if device else default_device()
    on_gpu = place.type == "cuda"
    length, crowds = tokens or (128 if on_gpu else 64), streams or [8, 32, 64]
    chosen = scenario or (NAMES if on_gpu else ("one",))
    if llama_cpp:
        find_models(llama_cpp)
    if png_file:
        check_matplotlib()
        if not {"one", "streams"} & set(chosen):
            raise typer.BadParameter("there is nothing to draw without --scenario one or --scenario streams.", param_hint="--png")
    fast = ("none", "int8") if on_gpu or model in RANDOM else ("q4_1", "int8", "none")
    modes = [mode for mode in MODES if mode in (quantize or fast)]
    if model not in RANDOM:
        ready_folder(model)
    with telling() as tell:
        run = Bench(
            open=opener(model, place, parse_capability(capability)),
            device=place,
            scenarios=scenarios(chosen, crowds, beams, turns, length, place),
            rounds=rounds,
            tokens=length,
            progress=tell,
        )
        for report in run.run(contender_choices(modes, rows_needed(chosen, crowds, beams), length, parse_capability(capability))):
            save(report, json_file)  # after each contender, so that an interrupted run keeps its results
        if llama_cpp:
            tell("llama.cpp")
            report = beside_llama_cpp(report, llama_cpp, crowds if "streams" in chosen else [], on_gpu=on_gpu)
            save(report, json_file)
    console = Console(soft_wrap=True)
    console = console if console.is_terminal else Console(soft_wrap=True, width=PIPED)
    console.print(heading(report), table(report), *remarks(report), sep="\n", highlight=False)
    if png_file:
        draw_chart(report, png_file)


def save(report: Report, json_file: Path | None) -> None:
    if json_file:
        json_file.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """Shows progress: on a terminal one line that changes, else a line for each step with the seconds passed."""
    console, begun = Console(stderr=True, soft_wrap=True), monotonic()
    if not console.is_terminal:
        yield lambda doing: console.print(f"{monotonic() - begun:4.0f} s  {doing}", highlight=False)
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("measuring the memory's speed")
        yield lambda doing: bar.update(task, description=doing)
