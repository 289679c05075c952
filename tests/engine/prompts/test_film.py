"""Films in the form that a family knows, and told frame by frame where a model sees one picture."""

from __future__ import annotations

from PIL import Image

from engine.film_frames import frame_label
from engine.images.decode import Picture
from engine.models.card import Card
from engine.prompts.film import told_frame_by_frame, with_timestamps
from engine.prompts.turn import Turn
from engine.weights.pocket import CARD
from tests.engine.tiny import tiny_card

POCKET = Card.model_validate_json(CARD.read_text("utf-8"))
FRAMES = [Picture(Image.new("RGB", (3, 3)), str(number) * 64) for number in range(4)]
FILM = Turn("user", (*(part for number, frame in enumerate(FRAMES) for part in (frame_label(number, 4, number + 0.5), frame)), "And?"))


def test_frames_are_labelled_by_order_and_time() -> None:
    texts = [part for part in FILM.parts if isinstance(part, str)]
    assert texts == ["First, at 0.5 s:", "Then, at 1.5 s:", "After that, at 2.5 s:", "Finally, at 3.5 s:", "And?"]


def test_qwen3_has_its_own_marks_of_time() -> None:
    """Held against its makers' processor in tests/engine/models/pretrained/test_qwen.py."""
    qwen = tiny_card().model_copy(update={"architecture": "qwen3_vl"})
    parts = with_timestamps(qwen, [FILM])[0].parts
    assert [part for part in parts if isinstance(part, str)] == [*(f"<{number}.5 seconds>" for number in range(4)), "And?"]
    for other in (tiny_card(), tiny_card().model_copy(update={"architecture": "qwen2_5_vl"})):
        assert with_timestamps(other, [FILM]) == [FILM]


def test_the_pocket_model_tells_what_it_sees_of_each_frame() -> None:
    seen = {frame.sha256: f"[1 shape: a circle, {number}.]" for number, frame in enumerate(FRAMES)}
    said = told_frame_by_frame(POCKET, [FILM], lambda picture: seen[picture.sha256])
    assert said is not None
    assert said.splitlines()[0] == "First, at 0.5 s: 1 shape: a circle, 0."
    assert said.splitlines()[3] == "Finally, at 3.5 s: 1 shape: a circle, 3."
    assert told_frame_by_frame(tiny_card(), [FILM], lambda picture: "") is None
    assert told_frame_by_frame(POCKET, [Turn("user", (FRAMES[0], "What?"))], lambda picture: "") is None
