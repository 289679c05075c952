"""The terminal does what every adapter must."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from adapters.terminal.chat import Chat
from adapters.terminal.screen import PLACE, Screen
from bot.message import Invocation
from bot.platform import Button
from tests.adapters.conformance import Conformance, Listener, Rig


def no_command(text: str) -> Invocation | None:
    return None


class TerminalRig(Rig):
    """Reads what was printed. Paper keeps everything: what is shown is the last state of each message, if it was printed."""

    def __init__(self, folder: Path) -> None:
        self._paper = io.StringIO()
        self.screen = Screen(Console(file=self._paper, width=100, soft_wrap=True))
        self.platform = self.screen
        self.place = PLACE
        self.bot = Listener()
        self.chat = Chat(self.bot, self.screen, no_command)
        self._folder = folder

    async def say(self, text: str, pictures: tuple[bytes, ...] = (), reply_to: str | None = None) -> None:
        names = self._save(pictures)
        reply = f">{self._number_of(reply_to)} " if reply_to else ""
        await self.chat.say(reply + " ".join([text, *names]))

    async def press(self, message_id: str, button: Button, answer_id: int) -> None:
        await self.chat.press(button, answer_id)

    async def shown(self) -> dict[str, str]:
        paper = self._paper.getvalue()
        return {name: message.text for name, message in self.screen.messages.items() if message.text in paper}

    def _save(self, pictures: Sequence[bytes]) -> list[str]:
        paths = [self._folder / f"{number}.png" for number in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            path.write_bytes(picture)
        return [f"'{path}'" for path in paths]

    def _number_of(self, message_id: str) -> int:
        return next(number for number in range(1, 100) if self.screen.message_of(number) == message_id)


class TestTerminal(Conformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return TerminalRig(tmp_path)
