"""The questions of a bench: about pictures that are new each time, and follow-ups about the same picture."""

from __future__ import annotations

from hashlib import sha256

import torch
from PIL import Image, ImageDraw

from engine.images.decode import Picture
from engine.images.embedding_cache import EmbeddingCache
from engine.models.base import VisionLanguageModel
from engine.prompts.context import Context, ContextBuilder
from engine.prompts.turn import Turn

SIZE = 448
QUESTION = "Describe this picture. What shapes are there, how many, and in which colours?"
FOLLOW_UP = "And what is the largest thing in it?"
COLOURS = ("red", "blue", "green", "orange", "purple")
Talk = tuple[Turn, ...]


def opening(number: int) -> Talk:
    """A first question about picture number `number`."""
    return (Turn("user", (draw(number), QUESTION)),)


def crowd(count: int, number: int) -> list[Talk]:
    """`count` people, each with another question about the same picture `number`."""
    picture = draw(number)
    return [(Turn("user", (picture, f"I am number {person + 1}. {QUESTION}")),) for person in range(count)]


def followed_up(talk: Talk, answer: str) -> Talk:
    return (*talk, Turn("assistant", (answer,)), Turn("user", (FOLLOW_UP,)))


def draw(number: int) -> Picture:
    """Circles on white, different for each number up to some thousands."""
    image = Image.new("RGB", (SIZE, SIZE), "white")
    pen = ImageDraw.Draw(image)
    for index in range(1 + number % 5):
        left, top = 40 + 80 * index, (37 * (number + index)) % (SIZE - 80)
        pen.ellipse((left, top, left + 70, top + 70), fill=COLOURS[(number + index) % len(COLOURS)])
    return Picture(image, sha256(f"bench {number}".encode()).hexdigest())


@torch.inference_mode()
def prompt_tokens(model: VisionLanguageModel, talk: Talk) -> int:
    """How many tokens the conversation's prompt has."""
    pictures = [part for turn in talk for part in turn.parts if isinstance(part, Picture)]
    encoded = EmbeddingCache(model).encode(pictures)
    return len(Context(tuple(ContextBuilder(model).tokenise(talk, encoded)), 0))
