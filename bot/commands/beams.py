"""`/beams`: how many answers are weighed against each other."""

from __future__ import annotations

from bot.commands.setting_commands import setting_command

COMMAND = setting_command("beams")
