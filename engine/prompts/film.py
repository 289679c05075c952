"""Films in a model's own form: Qwen3-VL knows times as `<1.5 seconds>`, and what the pocket model sees is told frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from engine.film_frames import LABEL
from engine.images.decode import Picture
from engine.models.card import Card, Template
from engine.prompts.turn import Turn

TIMED: Final = frozenset({"qwen3_vl"})  # Qwen2.5-VL was taught times as positions, not as words: it reads ours as a sentence


def with_timestamps(card: Card, turns: Sequence[Turn]) -> Sequence[Turn]:
    """The turns with the family's own marks of time before the frames of films."""
    if card.architecture not in TIMED:
        return turns
    return [
        replace(turn, parts=tuple(LABEL.sub(r"<\1 seconds>", part) if isinstance(part, str) else part for part in turn.parts))
        for turn in turns
    ]


def told_frame_by_frame(card: Card, turns: Sequence[Turn], words: Callable[[Picture], str]) -> str | None:
    """What a model that sees one picture says of a film: of each frame, what its encoder says of it. None: there is no film to tell of."""
    if not (isinstance(card.template, Template) and card.template.one_picture):
        return None
    shown = [turn for turn in turns if any(isinstance(part, Picture) for part in turn.parts)]
    frames = labelled(shown[-1]) if shown else []
    if len(frames) < 2 or turns[-1].role != "user":
        return None
    return "\n".join(f"{label} {words(picture).strip('[]')}" for label, picture in frames)


def labelled(turn: Turn) -> list[tuple[str, Picture]]:
    """The frames of films in a message, each with its label."""
    found = []
    for label, shown in pairwise(turn.parts):
        if isinstance(label, str) and isinstance(shown, Picture) and LABEL.search(label):
            found.append((label.strip(), shown))
    return found
