"""Shows one answer while it comes: word by word, or, with beams, the best text so far until the final one stands."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from adapters.terminal.console import printable
from adapters.terminal.wrap_lines import Wrapping
from bot.answers.accumulate import Draft
from engine.api import Chunk, Usage


@dataclass
class Answer:
    """One answer and how it came. Times are in seconds; `first` runs from the question to the first text, final or provisional."""

    draft: Draft = field(default_factory=Draft)
    first: float | None = None
    whole: float = 0.0
    usage: Usage | None = None

    def add(self, chunk: Chunk, seconds: float) -> None:
        """Append one chunk that came `seconds` after the question."""
        self.draft.add(chunk)
        self.usage = chunk.usage or self.usage
        if self.first is None and self.draft.text:
            self.first = seconds

    @property
    def tokens_per_second(self) -> float | None:
        """Of the decoding alone: the first token is the prompt's work."""
        if self.usage is None or self.first is None or self.usage.completion_tokens < 2 or self.whole <= self.first:
            return None
        return (self.usage.completion_tokens - 1) / (self.whole - self.first)


async def show_answer(console: Console, chunks: AsyncGenerator[Chunk]) -> Answer:
    """Prints the answer as it comes, and a line end. Raises what the engine client raises."""
    answer, begun = Answer(), time.monotonic()
    shown = Shown(console)
    try:
        async with aclosing(chunks) as coming:
            async for chunk in coming:
                answer.add(chunk, time.monotonic() - begun)
                shown.show(chunk)
    finally:
        shown.end()
    answer.whole = time.monotonic() - begun
    return answer


class Shown:
    """What stands on the console of one answer."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._draft = Live(console=console, auto_refresh=False, transient=True)
        self._wrapping = Wrapping(console.width) if console.is_terminal else None

    def show(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            if choice.provisional and self._console.is_terminal:
                self._draft.start()
                self._draft.update(Text(printable(choice.provisional), style="dim"), refresh=True)
            if choice.delta.content:
                self._draft.stop()
                said = printable(choice.delta.content)
                self._print(self._wrapping.feed(said) if self._wrapping else said)

    def end(self) -> None:
        self._draft.stop()
        self._print((self._wrapping.end() if self._wrapping else "") + "\n")

    def _print(self, text: str) -> None:
        self._console.print(Text(text), end="", soft_wrap=True)
