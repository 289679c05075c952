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
from adapters.cli.ask import make_request
from adapters.cli.demo_samples import SAMPLES, Sample, sketch
from adapters.cli.engine_access import open_engine
from adapters.cli.engine_commands import POCKET, fetch_model
from adapters.errors import DemoError
from adapters.process_names import only_bot, page_served
from adapters.registry import load
from adapters.run import serve
from adapters.terminal.console import consoles, ending, run
from bot.config.load import data_home
from bot.config.schema import Config
from bot.engines.client import EngineClient
from engine.api import Health


def show_demo(once: bool) -> None:
    """Ends the process with the status of what failed."""
    home = data_home(os.environ)
    answers, _ = consoles()
    with ending():
        page = None if once else page_served(home)
    if page is not None:
        say_where(answers, home, page)
        return
    answers.print(f"Gander keeps its data in {home}. To remove it: rm -r {shlex.quote(str(home))}")
    fetch_model(home)
    run(show(home, answers) if once else show_and_serve(home, answers))


def say_where(console: Console, home: Path, page: str) -> None:
    """A second demo would only be turned away at its end: the person wants the page."""
    if page:
        console.print(f"Gander serves from {home} already. Its page is open at {page}")
        open_browser(page)
    else:
        console.print(f"Another Gander has just been started from {home}: it will say where its page is.")


async def show(home: Path, console: Console) -> None:
    async with open_engine(console, home, POCKET, None) as (client, health):
        await show_samples(console, client, health)


async def show_and_serve(home: Path, console: Console) -> None:
    with only_bot(home) as name:
        async with open_engine(console, home, POCKET, None, private=False) as (client, health):
            await show_samples(console, client, health)
            await serve_page(console, home, client, name)


async def show_samples(console: Console, client: EngineClient, health: Health) -> None:
    console.print(Text(health.notice, style="italic"))
    for sample in SAMPLES:
        await show_sample(console, client, sample)


async def show_sample(console: Console, client: EngineClient, sample: Sample) -> None:
    console.print()
    if console.is_terminal:
        console.print(sketch(sample.file))
    console.print(Text.assemble((sample.file.name, "bold"), f"  {sample.question}"))
    answer = await show_answer(console, client.stream(await make_request([sample.file], sample.question, {})))
    if not answer.draft.text_so_far.strip():
        raise DemoError(f"There was no answer about {sample.file.name}. The engine's log may tell why.")
    console.print(Text(" · ".join(filter(None, (figures(answer), sample.remark))), style="dim"))


def figures(answer: Answer) -> str:
    speed = f", then {answer.tokens_per_second:.0f} tokens/s" if answer.tokens_per_second else ""
    return f"first word after {answer.first or 0:.2f} s{speed}"


async def serve_page(console: Console, home: Path, client: EngineClient, name: str) -> None:
    """Your turn: the page, on the engine that is running, until Ctrl-C."""

    def opened(url: str) -> None:
        console.print(f"\nYour turn: ask about your own pictures at {url} (Ctrl-C ends).")
        open_browser(url)

    await serve(Config(), home, [client], {"web": load("web")}, opened, name)


def open_browser(url: str) -> None:
    """Where there is a screen; a browser for text would take over the terminal."""
    if sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} & os.environ.keys():
        webbrowser.open(url)
