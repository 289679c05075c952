"""`gander engine`: the OpenAI-compatible server in front of one model."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.api import RunningEngine
from engine.commands.pull import ready_folder
from engine.core.startup import EngineOptions, build_native, load_engine, picture_folder, remove_outdated
from engine.core.worker import Worker
from engine.device.heap import return_large_blocks
from engine.errors import HungError
from engine.fallback.start import fallback
from engine.images.decode import quiet_pillow
from engine.logging import configure
from engine.metrics import Metrics
from engine.models.card import FALLBACK
from engine.models.card_reader import read_card
from engine.paths import home, model_folder
from engine.server.discovery import advertise
from engine.server.lifecycle import Bind, announce_to_parent, read_key, serve
from engine.server.middleware import is_loopback
from engine.tracing import exporting
from engine.weights.load_times import expected_seconds

ADAPTER_NAME = re.compile(r"[\w.-]{1,64}")


def engine(
    model: Annotated[str, typer.Option(help="A ready model's name (`gander model list`) or folder.")] = "pocket",
    host: Annotated[str, typer.Option(help="Address to listen on. Beyond this machine only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.", min=0, max=65535)] = 8000,
    key_file: Annotated[Path | None, typer.Option(help="File with the key that clients must send (or set GANDER_ENGINE_KEY).")] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="torch's name of a device, such as cuda:1 or cpu; given again, the layers are split. Default: the first GPU, else cpu."
        ),
    ] = None,
    capability: Annotated[
        str | None, typer.Option(help="Compute as a card of this compute capability would, such as 7.5: fp16, kernels compiled for it.")
    ] = None,
    quantize: Annotated[
        Literal["auto", "none", "int8", "4bit"], typer.Option(help="Hold the language model's matrices in fewer bits; auto: as they fit.")
    ] = "auto",
    dtype: Annotated[
        Literal["auto", "float32"],
        typer.Option(help="What is computed in. float32, on CPUs: slower, but a seed's answer hardly depends on company or cache."),
    ] = "auto",
    rows: Annotated[
        int | None,
        typer.Option(
            help="How many answers are written at once (a beam counts as one). Default: 64 on a GPU, 10 on a CPU.", min=1, max=1024
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(help="Tokens of all conversations together that are kept on the device. Default: as memory allows.", min=16),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(help="Gigabytes of a GPU that this engine takes at most, its weights included. Default: what is free.", min=1),
    ] = None,
    detail: Annotated[
        Literal["auto", "low", "normal", "high"],
        typer.Option(help="How closely pictures are looked at, where a model leaves the choice; auto: low on a CPU, normal on a GPU."),
    ] = "auto",
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER", help="A LoRA adapter in peft's form, which requests ask for as MODEL:NAME. Given again: several at once."
        ),
    ] = None,
    capacity: Annotated[int, typer.Option(help="How many requests may run or wait before more are refused.", min=1)] = 256,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    private: Annotated[bool, typer.Option("--private", hidden=True)] = False,
) -> None:
    """Serve a model: POST /v1/chat/completions, GET /v1/models, GET /health, GET /metrics (Prometheus)."""
    return_large_blocks()
    quiet_pillow()
    configure(as_json=supervised or not sys.stderr.isatty())
    bind = Bind(host, port, read_key(key_file), supervised)
    bind.check()
    folder = (model_folder(model) if supervised else ready_folder(model)).resolve()
    record = home() / "engine" / "load_seconds.json"
    options = EngineOptions(
        tuple(device or ()),
        quantize,
        parse_capability(capability),
        rows,
        tokens,
        None if memory is None else int(memory * 1e9),
        exact=dtype == "float32",
        detail=None if detail == "auto" else detail,
        adapters=parse_adapters(adapter or ()),
    )
    pictures, metrics = home() / "engine" / "pictures", Metrics()
    remove_outdated(pictures, folder)
    card = read_card(folder)
    build = fallback if card.architecture == FALLBACK else build_native
    load = functools.partial(load_engine, folder, options, record, picture_folder(pictures, folder), metrics, build)
    worker = Worker(load, expected_seconds=expected_seconds(record, folder), capacity=capacity, metrics=metrics)
    with ExitStack() as stack:
        stack.enter_context(exporting("gander-engine"))

        def announce(url: str) -> None:
            if is_loopback(host) and not private:
                whereabouts = RunningEngine(url=url, key=bind.key, folder=str(folder), pid=os.getpid())
                stack.enter_context(advertise(home() / "engine" / "running", whereabouts))
            (announce_to_parent if supervised else announce_to_person)(url)

        status = 0
        try:
            asyncio.run(serve(card, worker, metrics, bind, announce, tuple(options.adapters)))
        except HungError as error:
            typer.secho(str(error), fg="red", err=True)
            status = os.EX_TEMPFAIL
    sys.stdout.flush()
    os._exit(status)  # every answer is out; a thread that is stuck in the device must not keep the process


def parse_capability(text: str | None) -> tuple[int, int] | None:
    """`7.5` → (7, 5)."""
    if text is None:
        return None
    try:
        major, _, minor = text.partition(".")
        return int(major), int(minor or 0)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no compute capability such as 7.5 or 8.0.") from None


def parse_adapters(given: Sequence[str]) -> dict[str, Path]:
    """`emblems=/some/folder` → the folder by its name, checked as far as that costs no time."""
    adapters: dict[str, Path] = {}
    for text in given:
        name, _, folder = text.partition("=")
        if not ADAPTER_NAME.fullmatch(name) or not folder:
            raise typer.BadParameter(
                f"{text!r} is no adapter: write NAME=FOLDER, the name in letters, digits, dots, dashes and underscores."
            )
        if name in adapters:
            raise typer.BadParameter(f"Two adapters are called {name!r}: give each a name of its own.")
        adapters[name] = Path(folder).expanduser().resolve()
    return adapters


def announce_to_person(url: str) -> None:
    typer.echo(f"The engine listens on {url}/v1 (health: {url}/health). Stop it with Ctrl-C.")
