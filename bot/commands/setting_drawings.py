"""Draws what a setting does, in characters that every platform shows in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from unicodedata import east_asian_width

from bot.answer_settings import Setting
from bot.commands.command import Context
from bot.message import Value

LOGITS = (3.0, 2.2, 1.5, 0.6, -0.8)  # of the example's next words, the likeliest first
LOW, HIGH = 0.2, 1.8  # temperatures shown beside the current one
BAR, GREEDY = 7, 0.01  # characters; the temperature that stands for 0
EIGHTHS = " ▏▎▍▌▋▊▉"


def drawing(context: Context, setting: Setting, value: Value | None) -> list[str]:
    """The lines of a setting's drawing; empty for a setting without one. `value`: the one that holds now."""
    if setting.name == "temperature":
        words = context.render("drawing.temperature_words").split("|")
        bars = temperature_drawing(words, 1.0 if value is None else float(value))
        return [context.render("drawing.temperature_lead"), "```", *bars, "```"]
    if setting.name == "beams":
        return [context.render("drawing.beams_lead"), "```", context.render("drawing.beams"), "```"]
    return []


def probabilities(temperature: float) -> list[float]:
    """Softmax of the example's logits, divided by the temperature."""
    weights = [exp((logit - LOGITS[0]) / max(temperature, GREEDY)) for logit in LOGITS]
    return [weight / sum(weights) for weight in weights]


def temperature_drawing(words: Sequence[str], value: float) -> list[str]:
    """How likely each of the example's words is next: a column for each temperature, the current one marked."""
    temperatures = sorted({LOW, value, HIGH})
    width = max(map(_width, words)) + 2
    heads = "".join(f"{('▸' if each == value else '') + f'{each:g}':<{BAR + 2}}" for each in temperatures)
    columns = [probabilities(each) for each in temperatures]
    rows = [
        word + " " * (width - _width(word)) + "".join(f"{_bar(column[n]):<{BAR + 2}}" for column in columns) for n, word in enumerate(words)
    ]
    return [line.rstrip() for line in [" " * width + heads, *rows]]


def _bar(share: float) -> str:
    """A bar as long as the share; at least a dot."""
    whole, eighths = divmod(round(share * BAR * 8), 8)
    return "█" * whole + EIGHTHS[eighths].strip() or "·"


def _width(word: str) -> int:
    """Columns that a word takes: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in word)
