"""What those who keep a server need: `/setup` says what the bot lacks and how to grant it, and shows the settings."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from adapters.discord.commands import NativeCommand, worded
from adapters.discord.diagnosis import findings
from adapters.discord.panel import panel
from bot.texts import Texts, choose_language

Interaction = discord.Interaction[discord.Client]


class Upkeep:
    """The command, answered from what Discord says of the bot's rights in the channel."""

    def __init__(self, texts: Texts, *, sees_content: bool) -> None:
        self._texts = texts
        self._sees_content = sees_content

    def commands(self) -> tuple[NativeCommand, ...]:
        async def setup(interaction: Interaction) -> None:
            language = choose_language(interaction.locale.value)
            text = f"{self.diagnosis(interaction)}\n\n{self._texts.say(language, 'discord.setup')}"
            await interaction.response.send_message(text, view=panel(self._texts, interaction.locale), ephemeral=True)

        return (self._native("setup", setup),)

    def diagnosis(self, interaction: Interaction) -> str:
        """What is missing here, each with its cure, in the person's language; or that all is well."""
        language = choose_language(interaction.locale.value)
        found = findings(interaction.app_permissions, sees_content=self._sees_content)
        return "\n".join(self._texts.say(language, key) for key in found)

    def _native(self, name: str, callback: Any) -> NativeCommand:
        command: NativeCommand = app_commands.Command(
            name=worded(self._texts, f"command.{name}.name"),
            description=worded(self._texts, f"command.{name}.description"),
            callback=callback,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        command.default_permissions = discord.Permissions(manage_channels=True)
        return command
