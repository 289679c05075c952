"""What every contender is asked: a question about a picture that is new each time, then a follow-up about the same one."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from PIL import Image, ImageDraw

from engine.bench.contenders import Contender, Timing
from engine.generation import Turn
from engine.pictures import Picture

SIZE = 448
QUESTION = "Describe this picture. What shapes are there, how many, and in which colours?"
FOLLOW_UP = "And what is the largest thing in it?"
COLOURS = ("red", "blue", "green", "orange", "purple")


@dataclass(frozen=True)
class Conversation:
    """`first` is about a picture that nobody met before, `follow_up` one token more of the same talk."""

    first: Timing
    follow_up: Timing


def converse(contender: Contender, number: int, tokens: int) -> Conversation:
    """Picture `number`; contenders that are given the same number see the same picture."""
    turns = [Turn("user", (draw(number), QUESTION))]
    first = contender.answer(turns, tokens)
    turns += [Turn("assistant", (first.text,)), Turn("user", (FOLLOW_UP,))]
    return Conversation(first, contender.answer(turns, 1))


def draw(number: int) -> Picture:
    """Circles on white; no two numbers up to some thousands give the same."""
    image = Image.new("RGB", (SIZE, SIZE), "white")
    pen = ImageDraw.Draw(image)
    for index in range(1 + number % 5):
        left, top = 40 + 80 * index, (37 * (number + index)) % (SIZE - 80)
        pen.ellipse((left, top, left + 70, top + 70), fill=COLOURS[(number + index) % len(COLOURS)])
    return Picture(image, sha256(f"bench {number}".encode()).hexdigest())
