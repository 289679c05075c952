"""`/temperature`: how daring the words are."""

from __future__ import annotations

from bot.commands.knobs import knob

COMMAND = knob("temperature")
