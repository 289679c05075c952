"""`gander chat`: reads lines in the main thread, where Ctrl-C arrives, while the bot lives in a thread of its own.

Ctrl-C stops the answer that is being written; pressed twice, or with nothing to stop, it leaves. Piped input is
answered line by line, and nothing but the answers goes to standard output.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from adapters.terminal.chat import Chat
from adapters.terminal.console import complaints, explain
from bot.errors import BotError
from bot.platform import Button

PROMPT = "› "
LEAVING = frozenset({"/quit", "/exit"})


@dataclass(frozen=True, slots=True)
class Running:
    """A chat whose bot lives in another thread; `life` ends when it does, with what it failed with. `prompting`: a key is waited for."""

    chat: Chat
    submit: Callable[[Coroutine[Any, Any, None]], Future[None]]
    life: Future[None]
    prompting: threading.Event


@contextmanager
def in_background(opening: AbstractAsyncContextManager[Chat]) -> Iterator[Running]:
    """Keep `opening` open in a thread with an event loop, as long as the block lasts. Raises what opening it, or the bot later, raises.

    A bot that ends meanwhile interrupts a block that waits for a key, as Ctrl-C does.
    """
    opened: Future[tuple[Chat, asyncio.AbstractEventLoop]] = Future()
    life: Future[None] = Future()
    leave, prompting = asyncio.Event(), threading.Event()

    async def live() -> None:
        async with opening as chat:
            opened.set_result((chat, asyncio.get_running_loop()))
            await leave.wait()

    def work() -> None:
        try:
            life.set_result(asyncio.run(live()))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the block ends
            life.set_exception(error)
            if prompting.is_set():
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=work, name="bot", daemon=True).start()
    either: tuple[Future[Any], ...] = (opened, life)
    wait(either, return_when=FIRST_COMPLETED)
    if life.done():
        life.result()
    chat, loop = opened.result()
    try:
        yield Running(chat, lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop), life, prompting)
    finally:
        if not life.done():
            loop.call_soon_threadsafe(leave.set)
        life.result()


def converse(running: Running, console: Console) -> None:
    """Lines from standard input until its end, a command to leave, or Ctrl-C at the prompt."""
    if console.is_terminal:
        import readline  # noqa: F401 - gives `input` a history and editing

        console.print(Text("A question, or a picture's file and a question. /help tells more; Ctrl-D leaves.", style="dim"))
    while (line := read_line(running, console)) is not None and line.strip() not in LEAVING:
        if line.strip() and not answered(running, console, line):
            return


def read_line(running: Running, console: Console) -> str | None:
    """None: the input has ended, the person wants to leave, or the bot has ended."""
    running.prompting.set()
    try:
        return None if running.life.done() else input(PROMPT if console.is_terminal else "")
    except (EOFError, KeyboardInterrupt):
        if console.is_terminal:
            console.print()
        return None
    finally:
        running.prompting.clear()


def answered(running: Running, console: Console, line: str) -> bool:
    """Show the answer to a line. False: Ctrl-C was pressed twice, or the bot has ended."""
    answer = running.submit(running.chat.converse(line))
    try:
        answer.result()
    except CancelledError:
        return False
    except KeyboardInterrupt:
        return not running.life.done() and stopped(running, answer)
    except BotError as error:
        complaints().print(Text(explain(error), style="red"))
    return True


def stopped(running: Running, answer: Future[None]) -> bool:
    """Stop the answer, and see it through to where it stopped."""
    try:
        running.submit(running.chat.press(Button.STOP)).result()
        answer.result()
    except (CancelledError, KeyboardInterrupt):
        return False
    return True
