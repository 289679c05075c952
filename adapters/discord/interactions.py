"""Interactions that can still be answered: commands, pressed buttons and submitted forms, each for fifteen minutes.

Where the bot is installed on the server an interaction is only the first way to speak; afterwards messages are edited
as any other. Where it is not (a person took it along), the interaction is the only way, and good for five messages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import discord

from bot.message import Place
from bot.streaming import ELLIPSIS

GOOD_FOR_SECONDS: Final = 14 * 60.0  # of fifteen: what is begun in the last minute might not end
KEPT: Final = 1_000
NOBODY: Final = discord.AllowedMentions.none()


@dataclass(slots=True)
class Live:
    """One interaction that was acknowledged. `thinking`: people see that an answer is due, and to whom it is shown."""

    interaction: discord.Interaction[discord.Client]
    place: Place
    until: float  # on the clock
    thinking: bool = False
    ephemeral: bool = False
    view: discord.ui.View | None = None  # goes with the first words

    async def send(self, text: str, view: discord.ui.View | None, *, private: bool) -> str:
        """Say something; the message's id. The first words replace the sign of thinking, if the same people see both."""
        view, self.view = self.view or view, None
        if self.thinking and private == self.ephemeral:
            self.thinking = False
            return str((await self.interaction.edit_original_response(content=text, view=view, allowed_mentions=NOBODY)).id)
        waits, self.thinking = self.thinking, False
        if waits:  # until it says something, whatever is sent takes its place, and is shown to those who see it
            await self.interaction.edit_original_response(content=ELLIPSIS)
        optional: dict[str, Any] = {} if view is None else {"view": view}
        sent = await self.interaction.followup.send(
            text, ephemeral=private, allowed_mentions=NOBODY, suppress_embeds=True, wait=True, **optional
        )
        if waits:
            await self.interaction.delete_original_response()
        return str(sent.id)

    async def stop_thinking(self) -> None:
        if self.thinking:
            self.thinking = False
            await self.interaction.delete_original_response()


class Interactions:
    """The interactions of late, by their id."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._live: dict[str, Live] = {}

    def add(
        self, interaction: discord.Interaction[discord.Client], place: Place, *, thinking: bool = False, ephemeral: bool = False
    ) -> Live:
        live = Live(interaction, place, self._clock() + GOOD_FOR_SECONDS, thinking, ephemeral)
        self._live[str(interaction.id)] = live
        if len(self._live) > KEPT:
            del self._live[next(iter(self._live))]
        return live

    def find(self, name: str | None) -> Live | None:
        """The interaction that is replied to, if it can still be answered."""
        live = self._live.get(name or "")
        return live if live and self._clock() < live.until else None
