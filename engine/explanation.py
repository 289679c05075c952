"""The wire's types of `POST /v1/explain`, which is ours: how a finished answer came about. No torch; the bot imports this module.

Maps are shares between 0 and 1, row by row over a picture's patches. Nothing here is drawn or guessed: the running model's own numbers.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from engine.api import ChatRequest, Wire

MOST_EXPLAINED = 600  # tokens of an answer; what is beyond is left out
MOST_RIVALS = 20

Map = tuple[float, ...]


class ExplainRequest(ChatRequest):
    """The request that was answered, and its answer: as text, or as the ids of its tokens where the client has them."""

    answer: str = ""
    answer_token_ids: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=4096)] = ()
    rivals: Annotated[int, Field(ge=1, le=MOST_RIVALS)] = 6  # tokens that could have stood in each place
    layer: Annotated[int | None, Field(ge=0)] = None  # the language model's attention in this layer; None: the mean over all

    @classmethod
    def about(cls, request: ChatRequest, answer: str) -> ExplainRequest:
        """Of an answer to this request."""
        return cls(**{name: getattr(request, name) for name in request.model_fields_set}, answer=answer)

    @model_validator(mode="after")
    def check_answer(self) -> ExplainRequest:
        if not (self.answer or self.answer_token_ids):
            raise ValueError("give the answer that is to be explained")
        return self


class SeenPicture(Wire):
    """One picture as the model got it, `rows` × `columns` patches, which took the prompt's tokens `start` to before `start + tokens`.

    `maps` [tokens][patches]: where each soft token (query) looked, the mean over the heads and layers of the cross-attention, and
    `layers` the same of each such layer. `taken`: what it took from each patch, which is its attention times the length of what the
    patch added. All are empty where there is no Q-Former. `eye` [patches], where there is none: each patch's share of what the eye's own
    tokens attend to, the mean over heads and layers. `rows` is 0 where places are not known.
    """

    sha256: str
    png: str  # base64
    width: int  # pixels
    height: int
    rows: int
    columns: int
    start: int
    tokens: int
    maps: tuple[Map, ...] = ()
    taken: tuple[Map, ...] = ()
    layers: tuple[tuple[Map, ...], ...] = ()
    eye: Map = ()


class PromptToken(Wire):
    """A token of the prompt, or all tokens of a picture: then `picture` is its place in `pictures`, and there is no id."""

    text: str = ""
    id: int | None = None
    picture: int | None = None


class Rival(Wire):
    text: str
    id: int
    probability: float


class ExplainedToken(Wire):
    """A token of the answer. `probability`: by the model's softmax, before any temperature; `rivals`: the likeliest in its place.

    `attention`: for each picture, the language model's attention to its tokens when this one was written, the mean over heads and
    layers. `looked`: the same with the attention sink removed (what all rows have in common), on the picture's patches: by `taken`, or
    where the tokens stand in it.
    `on_pictures`: the pictures' share of its attention, the first token's left out of the count.
    """

    text: str
    id: int
    probability: float
    rivals: tuple[Rival, ...]
    on_pictures: float
    attention: tuple[Map, ...] = ()
    looked: tuple[Map, ...] = ()


class ExplainedAnswer(Wire):
    """`seconds`: of the device's time that explaining took; `complete`: whether all of the answer's tokens are here."""

    model: str
    pictures: tuple[SeenPicture, ...]
    prompt: tuple[PromptToken, ...]
    answer: tuple[ExplainedToken, ...]
    seconds: float
    complete: bool = True
    dropped_messages: int = 0
