"""`/temperature`: how random the choice of tokens is."""

from __future__ import annotations

from bot.commands.single_setting import setting_command

COMMAND = setting_command("temperature")
