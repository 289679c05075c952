"""`/beams`: how many answers are weighed against each other."""

from __future__ import annotations

from bot.commands.knobs import knob

COMMAND = knob("beams")
