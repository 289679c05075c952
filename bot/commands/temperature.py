"""`/temperature`: how random the choice of tokens is."""

from __future__ import annotations

from bot.commands.setting_commands import setting_command

COMMAND = setting_command("temperature")
