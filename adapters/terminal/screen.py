"""The terminal as the bot sees it: answers grow in place while they are written, and stay on the screen once finished."""

from __future__ import annotations

import asyncio
import hashlib

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

from adapters.terminal.console import printable
from bot.errors import MessageGone
from bot.message import Place
from bot.platform import Button, EditBudget, Limits, Outgoing

NAME = "terminal"
PLACE = Place(NAME, channel="local", private=True)
HARD_BREAK = "  \n"  # in Markdown; a newline alone would only be a space
WORDS = {Button.AGAIN: "/again", Button.CONTINUE: "/continue"}  # what to type where others press


class Screen:
    """bot.platform.Platform on a rich console. Where that is no terminal, only finished answers are printed."""

    name = NAME
    limits = Limits(text=100_000, budget=EditBudget(edits=10, seconds=1.0), buttons=False, deduplicates=True)

    def __init__(self, console: Console) -> None:
        self._console = console
        self.messages: dict[str, Outgoing] = {}  # by id, as they are now
        self._numbers: dict[int, str] = {}  # of answers, as the person can name them
        self._live: Live | None = None
        self._finished = 0
        self._gone: set[str] = set()
        self._changed = asyncio.Condition()

    def message_of(self, number: int) -> str | None:
        """The message of the answer with this number."""
        return self._numbers.get(number)

    @property
    def finished(self) -> int:
        """How many messages were shown to their end."""
        return self._finished

    async def settled(self, since: int) -> None:
        """Wait until something finished after `finished` was `since`, and nothing is half shown."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._finished > since and not self._unfinished())

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        message_id = hashlib.sha256(nonce.encode()).hexdigest()[:24]
        if message_id not in self.messages:
            await self._show(message_id, message)
        return message_id

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        if message_id in self._gone:
            raise MessageGone("this message was taken back")
        if self.messages.get(message_id) != message:
            await self._show(message_id, message)

    async def delete(self, place: Place, message_id: str) -> None:
        """What is printed stays on paper; it is said that it no longer counts."""
        message = self.messages.pop(message_id, None)
        self._gone.add(message_id)
        if message is not None and message.final:
            self._console.print(Text("(the last message was taken back)", style="dim"))

    async def typing(self, place: Place) -> None:
        """An answer that is being made shows itself."""

    async def _show(self, message_id: str, message: Outgoing) -> None:
        async with self._changed:
            self.messages[message_id] = message
            if message.final:
                self._draw_unfinished()
                self._print(message_id, message)
                self._finished += 1
            else:
                self._draw_unfinished()
            self._changed.notify_all()

    def _unfinished(self) -> Outgoing | None:
        return next((message for message in self.messages.values() if not message.final), None)

    def _draw_unfinished(self) -> None:
        """Shows the end of the growing answer below everything else, and takes it away before the whole is printed."""
        message = self._unfinished()
        if message is None or not self._console.is_terminal:
            if self._live is not None:
                self._live.stop()
                self._live = None
            return
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(self._growing(message), refresh=True)

    def _growing(self, message: Outgoing) -> Text:
        lines = Text(printable(message.text)).wrap(self._console, self._console.width)
        shown = Text("\n").join(lines[-max(1, self._console.height - 3) :])
        return Text.assemble(shown, ("\n" + printable(message.footer) if message.footer else " …", "dim"))

    def _print(self, message_id: str, message: Outgoing) -> None:
        text = printable(message.text)
        self._console.print(Markdown(text.replace("\n", HARD_BREAK)) if self._console.is_terminal else Text(text))
        for line in (
            *message.steps.splitlines(),
            *(f"{action.label}: {action.command}" for action in message.actions),
            *map(str, message.files),
        ):
            self._console.print(Text(printable(line), style="dim"))
        if message.answer_id is None:
            return
        number = next((number for number, known in self._numbers.items() if known == message_id), len(self._numbers) + 1)
        self._numbers[number] = message_id
        if self._console.is_terminal:
            words = [f"[{number}]", message.footer, *(WORDS[button] for button in message.buttons if button in WORDS)]
            self._console.print(Text(" · ".join(filter(None, words)), style="dim"))
