"""`/temperature`: how daring the words are."""

from __future__ import annotations

from bot.commands.setting_commands import setting_command

COMMAND = setting_command("temperature")
