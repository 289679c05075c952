"""`/language`: the language the bot speaks, to this person unless another scope is named."""

from __future__ import annotations

from bot.commands.single_setting import setting_command
from bot.store.scoped_settings import Scope

COMMAND = setting_command("language", usual=Scope.PERSON)
