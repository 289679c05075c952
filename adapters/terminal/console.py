"""What every command of `gander` shares: two consoles, and errors as one sentence."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from rich.console import Console
from rich.text import Text

from adapters.terminal.wrap_lines import WrappingConsole
from bot.errors import BotError, Refusal
from bot.texts import choose_language, load_texts

INTERRUPTED = 128 + signal.SIGINT


def consoles() -> tuple[Console, Console]:
    """Answers go to standard output, everything about them to standard error, so that pipes get answers only."""
    return WrappingConsole(highlight=False), complaints()


def complaints() -> Console:
    return WrappingConsole(stderr=True, highlight=False)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run one command's work to its end; ends the process where it failed or was interrupted."""
    quiet_logs()
    with ending():
        asyncio.run(work)


def quiet_logs() -> None:
    """Warnings alone, on standard error: a command that answers a person talks to them itself."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )


@contextmanager
def ending() -> Iterator[None]:
    """Ends the process with one sentence where the block fails, and as a shell expects it where it is interrupted."""
    try:
        yield
    except BotError as error:
        complaints().print(Text(explain(error), style="red"))
        sys.exit(1)
    except OSError as error:  # a disk or a network that fails where nobody expected it
        complaints().print(
            Text(": ".join(filter(None, (error.filename and str(error.filename), error.strerror or str(error)))), style="red")
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def explain(error: BotError) -> str:
    """One sentence for the person at the terminal, in their language where we speak it."""
    if not isinstance(error, Refusal):
        return str(error)
    language = choose_language(os.environ.get("LC_ALL"), os.environ.get("LANG"))
    return load_texts().render(language, error.key, **error.values)


def printable(text: str) -> str:
    """A model's words can't move the cursor or retitle the window."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
