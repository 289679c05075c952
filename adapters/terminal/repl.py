"""`gander chat`: reads lines in the main thread, where Ctrl-C arrives, while the bot lives in a thread of its own.

Ctrl-C stops the answer that is being written; pressed twice, or with nothing to stop, it leaves. Piped input is
answered line by line, and nothing but the answers goes to standard output.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from adapters.cli.console import explain
from adapters.terminal.chat import Chat
from bot.errors import BotError
from bot.ports import Button

PROMPT = "› "
LEAVING = frozenset({"/quit", "/exit"})


@dataclass(frozen=True, slots=True)
class Running:
    """A chat whose bot lives in another thread."""

    chat: Chat
    submit: Callable[[Coroutine[Any, Any, None]], Future[None]]


@contextmanager
def in_background(opening: AbstractAsyncContextManager[Chat]) -> Iterator[Running]:
    """Keep `opening` open in a thread with an event loop, as long as the block lasts. Raises what opening it raises."""
    opened: Future[tuple[Chat, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        leave = asyncio.Event()
        async with opening as chat:
            opened.set_result((chat, asyncio.get_running_loop(), leave))
            await leave.wait()

    def work() -> None:
        try:
            asyncio.run(live())
        except BotError as error:
            if opened.done():
                raise
            opened.set_exception(error)
        finally:
            opened.cancel()  # does nothing once it is resolved; else whoever waits for it must not wait for ever

    thread = threading.Thread(target=work, name="bot", daemon=True)
    thread.start()
    chat, loop, leave = opened.result()
    try:
        yield Running(chat, lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop))
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()


def converse(running: Running, console: Console) -> None:
    """Lines from standard input until its end, a command to leave, or Ctrl-C at the prompt."""
    if console.is_terminal:
        import readline  # noqa: F401 - gives `input` a history and editing

        console.print(Text("A question, or a picture's file and a question. /help tells more; Ctrl-D leaves.", style="dim"))
    while (line := read_line(console)) is not None and line.strip() not in LEAVING:
        if line.strip() and not answered(running, console, line):
            return


def read_line(console: Console) -> str | None:
    """None: the input has ended, or the person wants to leave."""
    try:
        return input(PROMPT if console.is_terminal else "")
    except (EOFError, KeyboardInterrupt):
        if console.is_terminal:
            console.print()
        return None


def answered(running: Running, console: Console, line: str) -> bool:
    """Show the answer to a line. False: Ctrl-C was pressed twice."""
    answer = running.submit(running.chat.converse(line))
    try:
        answer.result()
    except KeyboardInterrupt:
        return stopped(running, answer)
    except BotError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(Text(explain(error), style="red"))
    return True


def stopped(running: Running, answer: Future[None]) -> bool:
    """Stop the answer, and see it through to where it stopped."""
    try:
        running.submit(running.chat.press(Button.STOP)).result()
        answer.result()
    except KeyboardInterrupt:
        return False
    return True
