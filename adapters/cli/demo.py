"""`gander demo`: the whole way from an empty machine to streamed answers about three pictures, with its speed measured."""

from __future__ import annotations

import os
import shlex
import sys
import webbrowser
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adapters.cli.answer import Answer, show_answer
from adapters.cli.asking import make_request
from adapters.cli.console import consoles, run
from adapters.cli.engine_access import open_engine
from adapters.cli.engine_commands import POCKET, fetch_pocket
from adapters.cli.samples import SAMPLES, Sample, sketch
from adapters.errors import DemoError
from adapters.naming import only_bot
from adapters.registry import load
from adapters.run import serve
from bot.config import data_home
from bot.engine_client import EngineClient
from bot.options import Config


def show_demo(once: bool) -> None:
    """Ends the process with the status of what failed."""
    home = data_home(os.environ)
    answers, _ = consoles()
    answers.print(f"Gander keeps its data in {home}. To remove it: rm -r {shlex.quote(str(home))}")
    fetch_pocket(home)
    run(show(home, answers, once))


async def show(home: Path, console: Console, once: bool) -> None:
    async with open_engine(console, home, POCKET, None) as (client, health):
        console.print(Text(health.notice, style="italic"))
        for sample in SAMPLES:
            await show_sample(console, client, sample)
        if not once:
            await serve_page(console, home, client)


async def show_sample(console: Console, client: EngineClient, sample: Sample) -> None:
    console.print()
    if console.is_terminal:
        console.print(sketch(sample.file))
    console.print(Text.assemble((sample.file.name, "bold"), f"  {sample.question}"))
    answer = await show_answer(console, client.stream(await make_request([sample.file], sample.question, {})))
    if not answer.text.strip():
        raise DemoError(f"There was no answer about {sample.file.name}. The engine's log may tell why.")
    console.print(Text(" · ".join(filter(None, (figures(answer), sample.remark))), style="dim"))


def figures(answer: Answer) -> str:
    speed = f", then {answer.tokens_per_second:.0f} tokens/s" if answer.tokens_per_second else ""
    return f"first word after {answer.first or 0:.2f} s{speed}"


async def serve_page(console: Console, home: Path, client: EngineClient) -> None:
    """Your turn: the page, on the engine that is running, until Ctrl-C."""

    def opened(url: str) -> None:
        console.print(f"\nYour turn: ask about your own pictures at {url} (Ctrl-C ends).")
        open_browser(url)

    with only_bot(home) as name:
        await serve(Config(), home, [client], {"web": load("web")}, opened, name)


def open_browser(url: str) -> None:
    """Where there is a screen; a browser for text would take over the terminal."""
    if sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} & os.environ.keys():
        webbrowser.open(url)
