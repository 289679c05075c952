"""What models write of places becomes boxes inside the picture, whatever they write; and they are asked in their own words."""

from __future__ import annotations

import json
from base64 import b64encode
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.api import ChatRequest, NamedBox
from engine.boxes import LONGEST_NAME, MOST, PLACES, Form, Sight
from engine.errors import RequestError
from engine.images.decode import Limits, Picture
from engine.models.card import Card, Template
from engine.server.requests import engine_request

SIGHTS = {"percent": Sight("percent"), "pixels": Sight("pixels", (560, 280)), "thousandths": Sight("thousandths")}


def edges(box: NamedBox) -> tuple[float, ...]:
    return box.left, box.top, box.right, box.bottom


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("percent", "<p>a dog</p> {<10><20><50><100>}", [("a dog", 0.1, 0.2, 0.5, 1.0)]),
        ("percent", "{<10><20><50><100>}<delim>{<0><0><5><5>}", [("", 0.1, 0.2, 0.5, 1.0), ("", 0, 0, 0.05, 0.05)]),
        ("percent", "<p>cat</p>{<50><50><20><30>} and <p>mat</p>", [("cat", 0.2, 0.3, 0.5, 0.5)]),
        ("percent", "nothing {<1><2><3>} here <p>", []),
        ("pixels", '```json\n[{"bbox_2d": [56, 28, 280, 140], "label": "car"}]\n```', [("car", 0.1, 0.1, 0.5, 0.5)]),
        ("thousandths", '[{"bbox_2d": [100, 200, 300, 400], "label": "a"}, {"bbox_2d": [0, 0, 500,', [("a", 0.1, 0.2, 0.3, 0.4)]),
        ("thousandths", '{"bbox_2d": [-5, 900, 2000, 3000], "label": "b\\n\\nc"}', [("b c", 0, 0.9, 1, 1)]),
        ("thousandths", '{"bbox_2d": [1e999, 0, "x", 5]} {"bbox_2d": [true, 0, 9, 9]} {"bbox_2d": 7}', []),
        ("thousandths", '{"bbox_2d": [10, 10, 10, 500], "label": "a line"}', []),
    ],
)
def test_what_a_family_writes_is_read(form: Form, text: str, expected: list[tuple[str, float, float, float, float]]) -> None:
    assert [(box.name, *edges(box)) for box in SIGHTS[form].boxes(text)] == expected


def test_without_coordinates_the_words_stay() -> None:
    assert Sight("percent").plain("In it <p>a dog</p> {<1><2><3><4>} sits on <p>a mat</p> {<1><2><3><4>}.") == "In it a dog sits on a mat."
    assert Sight("thousandths").plain('Here:\n```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "dog"}]\n```') == "Here:"
    assert Sight("thousandths").plain('[{"bbox_2d": [1, 2, 3, 4], "label": "dog"}, {"bbox_2d": [5, 6, 7') == ""


def test_thousands_of_boxes_and_long_names_are_bounded() -> None:
    many = json.dumps([{"bbox_2d": [at, 0, at + 9, 9], "label": "@everyone " * 900} for at in range(5000)])
    some = json.dumps([{"bbox_2d": [at, 0, at + 9, 9], "label": "@everyone " * 30} for at in range(900)])
    assert SIGHTS["thousandths"].boxes(many) == ()
    assert len(SIGHTS["thousandths"].boxes(some)) <= MOST
    assert len(SIGHTS["percent"].boxes("{<1><2><3><4>}" * 100_000)) == 1
    assert all(len(box.name) <= LONGEST_NAME for box in SIGHTS["thousandths"].boxes(some))


@given(st.text(st.sampled_from('{}<>[]"p/0123456789.,-: bbox_2dlabel\n`'), max_size=300), st.sampled_from(sorted(SIGHTS)))
def test_whatever_is_written_boxes_lie_in_the_picture(text: str, form: str) -> None:
    for box in SIGHTS[form].boxes(text):
        assert 0 <= box.left < box.right <= 1
        assert 0 <= box.top < box.bottom <= 1
    SIGHTS[form].plain(text)


def test_what_a_detector_of_the_models_own_found_is_told_by_what_was_asked() -> None:
    found = tuple(NamedBox(name=name, left=0, top=0, right=0.5, bottom=0.5) for name in ("red circle", "blue circle", "brown dog"))

    def of(asked: str) -> list[str]:
        return [box.name for box in Sight("known", asked=asked, known=found).boxes("anything")]

    assert of("the circles") == ["red circle", "blue circle"]
    assert of("Blue circle") == ["blue circle"]
    assert of("everything") == [box.name for box in found]
    assert of("cat") == of("") == of("圆") == []


def request_of(architecture: str, role: str = "user") -> list[str]:
    """The texts of the last turn, as a model of this family gets them."""
    template = Template(user="{content}", assistant="{content}", answer="")
    card = Card.model_validate({"name": "m", "architecture": architecture, "context_length": 100, "template": template})
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    content = [{"type": "text", "text": "Wo ist er?"}]
    url = f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
    picture = [{"type": "image_url", "image_url": {"url": url}}] if role == "user" else []
    made = ChatRequest.model_validate({"messages": [{"role": role, "content": [*content, *picture]}], "find": 'a "dog"\n'})
    [turn] = engine_request(made, card, Limits()).turns
    assert any(isinstance(part, Picture) for part in turn.parts)
    return [part for part in turn.parts if isinstance(part, str)]


def test_each_family_is_asked_in_its_own_words() -> None:
    assert request_of("minigpt_v2") == ["[refer] give me the location of a 'dog'"]
    assert "bbox" in request_of("qwen3_vl")[0]
    assert PLACES["qwen2_5_vl"].form == "pixels"
    with pytest.raises(RequestError, match="doesn't say where things are"):
        request_of("minigpt4")
    with pytest.raises(RequestError, match="has to be a user's"):
        request_of("minigpt_v2", "assistant")
