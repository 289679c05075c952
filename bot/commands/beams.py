"""`/beams`: how many beams a beam search keeps."""

from __future__ import annotations

from bot.commands.single_setting import setting_command

COMMAND = setting_command("beams")
