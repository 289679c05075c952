"""`gander run` and `gander chat`: find the configuration, set up the log, and hand over to what serves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from adapters.cli.engine_commands import POCKET, fetch_model, make_ready
from adapters.errors import UsageError
from adapters.run import prepare, run
from adapters.terminal.console import complaints, consoles, ending, quiet_logs
from adapters.terminal.open_bot import open_chat
from adapters.terminal.repl import converse, in_background
from bot.config.load import check_ready_for_public, data_home, find_config, load_config, secret_values
from bot.config.logging import configure_logs
from bot.config.schema import Config
from engine.tracing import exporting


def serve_all(file: Path | None, model: str | None, adapters: Sequence[str] = ()) -> None:
    """Ends the process with what is wrong with the configuration, in words."""
    with ending():
        config = with_engine(load_config(find_config(file, os.environ), os.environ), model, None, adapters)
        check_ready_for_public(config)
        platforms = prepare(config)
        home = data_home(os.environ)
        if not config.engine.remote:
            bring(home, config.engine.model)
        configure_logs(config.logging, secret_values(config))
        with exporting("gander-bot"):
            asyncio.run(run(config, home, platforms, say_address))


def bring(home: Path, model: str) -> None:
    """The pocket model is looked at each time: another version of Gander may have made it."""
    if model == POCKET:
        fetch_model(home)
    else:
        make_ready(home, model)


def talk(file: Path | None, model: str | None, engine_url: str | None, adapters: Sequence[str] = ()) -> None:
    answers, _ = consoles()
    with ending():
        quiet_logs()
        config = with_engine(load_config(find_config(file, os.environ), os.environ), model, engine_url, adapters)
        if not config.engine.remote:
            make_ready(data_home(os.environ), config.engine.model, quiet=True)
        with in_background(open_chat(config, data_home(os.environ), answers)) as chat:
            converse(chat, answers)


def with_engine(config: Config, model: str | None, engine_url: str | None, adapters: Sequence[str] = ()) -> Config:
    """The configuration with what the command line says instead; the bot asks with the first of the adapters.

    Raises UsageError for an adapter without a folder where no engine elsewhere may have it.
    """
    folders = dict(map(adapter_named, adapters))
    given: dict[str, object] = {"model": model, "url": engine_url, "urls": () if engine_url else None}
    if folders:
        known = {**config.engine.adapters, **{name: folder for name, folder in folders.items() if folder}}
        if (unknown := next((name for name in folders if name not in known), None)) and not (engine_url or config.engine.remote):
            raise UsageError(f"Where is the adapter {unknown}? Name its folder: --adapter {unknown}=FOLDER")
        given |= {"adapters": known, "adapter": next(iter(folders))}
    engine = config.engine.model_copy(update={name: value for name, value in given.items() if value is not None})
    return config.model_copy(update={"engine": engine})


def adapter_named(text: str) -> tuple[str, Path | None]:
    """`emblems=/some/folder`, or the name alone of one that an engine has already."""
    name, _, folder = text.partition("=")
    return name, Path(folder).expanduser().resolve() if folder else None


def say_address(url: str) -> None:
    complaints().print(Text(f"The page is open at {url} (Ctrl-C stops Gander)."))
