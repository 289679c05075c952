"""The entries under a message's "Apps": ask about its picture, have it described, or have its writing read."""

from __future__ import annotations

from functools import partial
from typing import Any

import discord
from discord import app_commands

from adapters.discord.commands import BY_ANYBODY, EVERYWHERE, worded
from adapters.discord.download import Fetch
from adapters.discord.modals import AskForm, Interaction
from adapters.discord.pictures import shown_pictures
from adapters.discord.places import author_of
from adapters.discord.receive_interactions import Reception
from bot.message import Invocation, Reply
from bot.texts import Texts, choose_language


class ContextMenus:
    """The menu's entries. Each asks a question in reply to the message that it was chosen on."""

    def __init__(self, texts: Texts, reception: Reception, fetch: Fetch) -> None:
        self._texts = texts
        self._reception = reception
        self._fetch = fetch

    def entries(self) -> tuple[app_commands.ContextMenu, ...]:
        # Bound methods would not do: discord.py looks for the message as the second parameter.
        async def ask(interaction: Interaction, message: discord.Message) -> None:
            await self.ask(interaction, message)

        async def describe(interaction: Interaction, message: discord.Message) -> None:
            await self.describe(interaction, message)

        async def read(interaction: Interaction, message: discord.Message) -> None:
            await self._take(self._reply(interaction, message), interaction, Invocation("read"))

        where: dict[str, Any] = {"allowed_contexts": EVERYWHERE, "allowed_installs": BY_ANYBODY}
        return (
            app_commands.ContextMenu(name=worded(self._texts, "discord.menu_ask"), callback=ask, **where),
            app_commands.ContextMenu(name=worded(self._texts, "discord.menu_describe"), callback=describe, **where),
            app_commands.ContextMenu(name=worded(self._texts, "discord.menu_read"), callback=read, **where),
        )

    async def ask(self, interaction: Interaction, message: discord.Message) -> None:
        reply = self._reply(interaction, message)
        if not (reply.attachments or reply.is_ours):  # of the bot's own messages the bot knows what they are about
            await self._take(reply, interaction, Invocation("ask"))
            return
        submit = partial(self._take, reply)
        await interaction.response.send_modal(AskForm(self._texts, choose_language(interaction.locale.value), submit))

    async def describe(self, interaction: Interaction, message: discord.Message) -> None:
        await self._take(self._reply(interaction, message), interaction, Invocation("ask"))

    async def _take(self, reply: Reply, interaction: Interaction, command: Invocation) -> None:
        await self._reception.take(interaction, command, reply_to=reply)

    def _reply(self, interaction: Interaction, message: discord.Message) -> Reply:
        ours = message.author == interaction.client.user
        return Reply(
            str(message.id), author_of(message.author), () if ours else shown_pictures(message, self._fetch), ours, for_picture=True
        )
