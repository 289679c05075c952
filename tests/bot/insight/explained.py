"""An explanation small enough to check by eye: one picture of 4 × 4 patches, two queries, three words."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from PIL import Image

from engine.explanation import ExplainedAnswer, ExplainedToken, PromptToken, Rival, SeenPicture

SIDE = 4


def patch(row: int, column: int) -> tuple[float, ...]:
    """A map that is bright at one patch alone."""
    return tuple(0.5 if at == row * SIDE + column else 0.0 for at in range(SIDE * SIDE))


def png() -> str:
    file = BytesIO()
    Image.new("RGB", (56, 56), "#80a0c0").save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def token(text: str, number: int, look: tuple[float, ...]) -> ExplainedToken:
    rivals = (Rival(text=text, id=number, probability=0.75), Rival(text=" <b>dog</b>", id=99, probability=0.125))
    return ExplainedToken(text=text, id=number, probability=0.75, rivals=rivals, on_pictures=0.25, attention=((0.1, 0.2),), looked=(look,))


def explained() -> ExplainedAnswer:
    maps = (patch(0, 0), patch(3, 3))
    seen = SeenPicture(
        sha256="a" * 64, png=png(), width=56, height=56, rows=SIDE, columns=SIDE, start=1, tokens=2, maps=maps, taken=maps, layers=(maps,)
    )
    return ExplainedAnswer(
        model="tiny",
        pictures=(seen,),
        prompt=(PromptToken(text="<s>", id=1), PromptToken(picture=0), PromptToken(text="What\n", id=7)),
        answer=(token("A", 10, patch(0, 0)), token(" <i>cat", 11, patch(3, 3)), token(" ", 12, patch(1, 0))),
        seconds=0.25,
    )
