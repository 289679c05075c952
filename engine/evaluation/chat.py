"""Asks a model exactly as a chat does: the same templates, pictures and decode loop as the engine's, without the wire."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from engine.core.offline import OfflineEngine
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import Request, TextDelta


@dataclass(frozen=True)
class ChatModel:
    """Holds conversations with one model; each call is a new one."""

    decoder: OfflineEngine
    generation: Generation

    def __call__(self, picture: Image.Image | None, questions: Sequence[str]) -> list[str]:
        """The answers to the questions, in order. The picture comes with the first."""
        turns: list[Turn] = []
        answers: list[str] = []
        for question in questions:
            shown = (as_received(picture),) if picture is not None and not turns else ()
            turns.append(Turn("user", (*shown, question)))
            answers.append(self._answer(turns))
            turns.append(Turn("assistant", (answers[-1],)))
        return answers

    def _answer(self, turns: Sequence[Turn]) -> str:
        events = self.decoder.generate(Request(tuple(turns), self.generation))
        return "".join(event.text for event in events if isinstance(event, TextDelta))


def as_received(picture: Image.Image) -> Picture:
    """As the engine decodes it from a request."""
    rgb = picture.convert("RGB")
    return Picture(rgb, hashlib.sha256(f"{rgb.size}".encode() + rgb.tobytes()).hexdigest())
