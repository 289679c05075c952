"""`/language`: the language the bot speaks, to this person unless another scope is named."""

from __future__ import annotations

from bot.commands.knobs import knob
from bot.store.settings import Scope

COMMAND = knob("language", usual=Scope.PERSON)
