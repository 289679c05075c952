"""Interactions that can still be answered: commands, pressed buttons and submitted forms, each for fifteen minutes.

Where the bot is installed on the server an interaction is only the first way to speak; afterwards messages are sent and
edited as any other. Where it is not (a person took it along), or may not write, the interaction is the only way, and good
for five messages.

Discord recognises a repeated send by its nonce in channels alone, not by way of an interaction (discord-api-docs, pull
request 6647). So what an interaction says is never sent, but edited into a message that is known: into the one that
stood there while it was thinking, or into an ellipsis. A send of unknown outcome can leave an ellipsis behind, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import discord

from adapters.discord.message_content import NOBODY, Content
from bot.api import Ticket
from bot.delivery.message_diff import ELLIPSIS
from bot.message import Place

GOOD_FOR_SECONDS: Final = 14 * 60.0  # of fifteen: what is begun in the last minute might not end
MESSAGES: Final = 5
MESSAGE_LENGTH: Final = 2000
PATIENCE_SECONDS: Final = 3600.0
KEPT: Final = 1_000


class Original:
    """Discord's word in the place of a number, for the first message of an interaction. As a text, discord.py would write %40original."""

    def __str__(self) -> str:
        return "@original"


ORIGINAL: Final[Any] = Original()


@dataclass(slots=True)
class Live:
    """One interaction that was acknowledged. `thinking`: people see that an answer is due, and to whom it is shown."""

    hook: discord.Webhook  # says and changes what is said by it
    place: Place
    until: float  # on the clock
    person: str  # whose it is, by Discord's id
    locale: str
    granted: discord.Permissions  # the bot's
    source: str | None = None  # the message whose button was pressed
    thinking: bool = False
    ephemeral: bool = False
    only_way: bool = False  # the bot itself is not there, or mute
    left: int = MESSAGES  # that it is good for, where it is the only way
    shown: dict[str, str] = field(default_factory=dict)  # what it said, by the messages' ids
    hidden: set[str] = field(default_factory=set)  # those of them that one person alone sees
    unfinished: set[int | None] = field(default_factory=set)  # answers whose end is still to be said
    blanks: dict[bool, int] = field(default_factory=dict)  # a message that waits for its words: the one for all, the private one
    handed_over: bool = False

    @property
    def owes(self) -> bool:
        return self.thinking or bool(self.unfinished)

    async def send(self, content: Content, *, private: bool) -> str:
        """Say something; the message's id. The first words replace the sign of thinking, if the same people see both."""
        if self.thinking and private == self.ephemeral:
            sent: discord.Message = await self.hook.edit_message(ORIGINAL, **content.edited())
            self.thinking = False
            self.left -= 1
        else:
            sent = await self._fill(await self._blank(private=private), content, private=private)
        self.shown[str(sent.id)] = content.text
        if private:
            self.hidden.add(str(sent.id))
        return str(sent.id)

    async def edit(self, message_id: str, content: Content) -> None:
        """Change what it said, or the message whose button was pressed."""
        await self._put(message_id, content)
        self.shown[message_id] = content.text

    async def hand_over(self, note: str, view: discord.ui.View) -> None:
        """Offer a button below the last words: pressing it is a new interaction."""
        self.handed_over = True
        if not self.shown:
            await self.hook.edit_message(ORIGINAL, **Content(note, view).edited())
            return
        message_id, text = list(self.shown.items())[-1]
        await self._put(message_id, Content(f"{text[: MESSAGE_LENGTH - len(note) - 1]}\n{note}", view))

    async def say_later(self, note: str) -> None:
        """Its time is over and what it waits for will be a message of its own."""
        self.thinking = False
        await self.hook.edit_message(ORIGINAL, **Content(note).edited())

    async def stop_thinking(self) -> None:
        if self.thinking:
            self.thinking = False
            await self.hook.delete_message(ORIGINAL)

    async def tidy(self) -> None:
        """Take the sign of thinking away, if it still stands there."""
        original = await self.hook.fetch_message(ORIGINAL)
        if original.flags.loading:
            await self.hook.delete_message(ORIGINAL)

    async def take_over(self, text: str) -> None:
        """Go on after one that was handed over: what its last message said is shown again; one that said nothing is used."""
        self.thinking = not text
        if text:
            await self.hook.edit_message(ORIGINAL, **Content(text).edited())

    async def _put(self, message_id: str, content: Content) -> None:
        if self.source == message_id:
            await self.hook.edit_message(ORIGINAL, **content.edited())
        else:
            await self.hook.edit_message(int(message_id), **content.edited())

    async def _blank(self, *, private: bool) -> int:
        """A new message without words yet; of a try that failed later on, the one that it made."""
        if private not in self.blanks:
            if self.thinking:  # until it says something, whatever is sent takes its place, and is shown to those who see it
                await self.hook.edit_message(ORIGINAL, content=ELLIPSIS)
            self.left -= 1
            sent = await self.hook.send(ELLIPSIS, ephemeral=private, allowed_mentions=NOBODY, suppress_embeds=True, wait=True)
            self.blanks[private] = sent.id
        await self.stop_thinking()
        return self.blanks[private]

    async def _fill(self, message_id: int, content: Content, *, private: bool) -> discord.Message:
        try:
            filled = await self.hook.edit_message(message_id, **content.edited())
        except discord.NotFound:
            del self.blanks[private]  # somebody dismissed it
            raise
        del self.blanks[private]
        return filled


class Interactions:
    """The interactions of late, by their id."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._live: dict[str, Live] = {}

    def add(
        self, interaction: discord.Interaction[discord.Client], place: Place, *, thinking: bool = False, ephemeral: bool = False
    ) -> Live:
        until = self._clock() + GOOD_FOR_SECONDS
        source = str(interaction.message.id) if interaction.message else None
        known = (str(interaction.user.id), interaction.locale.value, interaction.app_permissions, source)
        live = Live(interaction.followup, place, until, *known, thinking, ephemeral, only_way=not may_speak(interaction))
        self._keep(str(interaction.id), live)
        return live

    def restore(self, ticket: Ticket, hook: discord.Webhook) -> Live:
        """One from before a restart."""
        live = live_of(ticket, hook, self._clock() + ticket.seconds)
        self._keep(ticket.event, live)
        return live

    def _keep(self, name: str, live: Live) -> None:
        self._live[name] = live
        if len(self._live) > KEPT:
            del self._live[next(iter(self._live))]

    def find(self, name: str | None) -> Live | None:
        """The interaction that is replied to, if it can still be answered."""
        live = self._live.get(name or "")
        return live if live and self._clock() < live.until else None

    def drop(self, live: Live) -> None:
        """Discord does not know it, or no more."""
        self._live = {name: each for name, each in self._live.items() if each is not live}

    def aside(self, place: Place, event: str, person: str | None) -> Live | None:
        """What to tell one person something by that nobody else is to see: the interaction that they caused, or a later one of
        theirs here that waits for no words of its own."""
        if replied := self.find(event):
            return replied
        theirs = (live for live in reversed(self._live.values()) if live.person == person and live.place.key == place.key)
        return next((live for live in theirs if not live.thinking and self._clock() < live.until), None)

    def way(self, place: Place, reply_to: str | None = None) -> Live | None:
        """What to answer by so that all see it: where nothing but interactions will do, the one that is replied to or else the newest
        here; elsewhere the one that is replied to, where people see it thinking."""
        here = (live for live in reversed(self._live.values()) if live.only_way and live.place.key == place.key)
        replied = self.find(reply_to)
        if replied and (replied.only_way or (replied.thinking and not replied.ephemeral)):
            return replied
        return next(here, None)

    def showing(self, place: Place, message_id: str) -> Live | None:
        """What to edit this message by, where nothing but interactions will do: what one person sees is known to no channel."""
        hidden = (live for live in self._live.values() if message_id in live.hidden and self._clock() < live.until)
        if found := next(hidden, None):
            return found
        here = [live for live in self._live.values() if live.only_way and live.place.key == place.key]
        able = (live for live in reversed(here) if message_id in live.shown and not self.spent(live))
        return next(able, here[-1] if here else None)

    def said(self, place: Place, message_id: str) -> str:
        """What this message said before its interaction was handed over."""
        texts = (live.shown[message_id] for live in self._live.values() if live.place.key == place.key and message_id in live.shown)
        return next(texts, "")

    def spent(self, live: Live) -> bool:
        """Whether this one, the only way to its place, can say no more."""
        return live.only_way and (live.left <= 0 or self._clock() >= live.until)

    def hopeless(self, live: Live) -> bool:
        """Nobody has pressed the button of one that was handed over long ago."""
        return self._clock() >= live.until + PATIENCE_SECONDS

    def ending(self) -> Iterator[Live]:
        """Those whose time is over, and whose people still wait."""
        return (live for live in list(self._live.values()) if live.owes and not live.handed_over and self._clock() >= live.until)

    def note(self, live: Live, answer_id: int | None, *, final: bool) -> None:
        """`live` said something of an answer: its end, or something that will be followed by it."""
        for other in self._live.values():
            other.unfinished.discard(answer_id)
        if not final:
            live.unfinished.add(answer_id)


def may_speak(interaction: discord.Interaction[discord.Client]) -> bool:
    """Whether the bot itself is where this comes from and may write there; otherwise a person has brought it along, or it is mute."""
    if interaction.guild_id is None:
        return not interaction.context.private_channel
    granted = interaction.app_permissions
    send = granted.send_messages_in_threads if isinstance(interaction.channel, discord.Thread) else granted.send_messages
    return interaction.client.get_guild(interaction.guild_id) is not None and granted.view_channel and send


def ticket_of(live: Live) -> dict[str, str | int]:
    """What it takes to go on with it after a restart."""
    return {
        "application": live.hook.id,
        "token": live.hook.token or "",
        "person": live.person,
        "locale": live.locale,
        "granted": live.granted.value,
        "source": live.source or "",
        "thinking": live.thinking,
        "ephemeral": live.ephemeral,
        "only_way": live.only_way,
    }


def live_of(ticket: Ticket, hook: discord.Webhook, until: float) -> Live:
    data = ticket.data
    return Live(
        hook,
        ticket.place,
        until,
        str(data["person"]),
        str(data["locale"]),
        discord.Permissions(int(data["granted"])),
        str(data["source"]) or None,
        thinking=bool(data["thinking"]) and ticket.reply_pending,
        ephemeral=bool(data["ephemeral"]),
        only_way=bool(data["only_way"]),
        shown=dict.fromkeys(ticket.message_ids, ""),
    )
