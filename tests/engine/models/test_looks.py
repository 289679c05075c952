"""A picture that is looked at in two ways has two encodings, and a request's wish is settled before anything is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from engine.core.build import build_engine
from engine.images.decode import Picture
from engine.images.embedding_cache import EmbeddingCache
from engine.models.base import EncodedPicture
from engine.models.looks import Look
from engine.prompts.turn import Turn
from engine.request import Done
from tests.engine.core.requests import asked, model, run
from tests.engine.tiny import TinyModel

SHOWN = Picture(Image.new("RGB", (8, 8), "red"), "a" * 64)
COARSE = replace(SHOWN, look=Look("low"))


@dataclass
class CoarseModel(TinyModel):
    """Sees two tokens of a picture at low detail, four else."""

    detail: str | None = None

    def settle(self, look: Look) -> Look:
        return Look("low" if look.detail == "low" else None)

    def at(self, look: Look) -> CoarseModel:
        return replace(self, detail=look.detail)

    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        found = super().encode(pictures)
        return [replace(each, embeddings=each.embeddings[:2]) for each in found] if self.detail == "low" else found


def coarse_model() -> CoarseModel:
    made = model()
    return CoarseModel(made.card, made.tokenizer, made.language_model)


def test_each_look_is_kept_apart_and_forgotten_with_the_picture(tmp_path: Path) -> None:
    cache = EmbeddingCache(coarse_model(), tmp_path)
    found = cache.encode([SHOWN, COARSE])
    assert {key: len(encoding.embeddings) for key, encoding in found.items()} == {SHOWN.key: 4, COARSE.key: 2}
    assert {path.stem for path in tmp_path.iterdir()} == {SHOWN.key, COARSE.key}
    assert len(EmbeddingCache(coarse_model(), tmp_path).encode([COARSE])[COARSE.key].embeddings) == 2
    cache.forget([SHOWN.sha256])
    assert cache.missing([SHOWN, COARSE]) == [SHOWN, COARSE]
    assert not [*tmp_path.iterdir()]


def test_a_wish_is_settled_for_requests_that_were_prepared_and_for_others() -> None:
    engine = build_engine(coarse_model(), rows=2)
    wished = [replace(SHOWN, look=Look(detail)) for detail in ("low", "high", None)]  # high makes no difference here
    requests = [asked(Turn("user", (picture, "What?"))) for picture in wished]
    heard = run(engine, *requests, *map(engine.preprocessor.prepare, requests))
    lengths = [event.prompt_tokens for listener in heard for event in listener.events if isinstance(event, Done)]
    assert lengths == [lengths[1] - 2, lengths[1], lengths[1]] * 2
    assert set(engine.preprocessor.embeddings.encoded) == {SHOWN.key, COARSE.key}


def test_of_several_pictures_none_is_alone() -> None:
    request = asked(Turn("user", (SHOWN, "What?")), Turn("assistant", ("Red.",)), Turn("user", (COARSE, "And this?")))
    found = request.with_looks(lambda look: look)
    assert [picture.look for picture in found.pictures] == [Look(alone=False), Look("low", alone=False)]
    assert [picture.key for picture in found.pictures] == [f"{SHOWN.sha256}-many", f"{SHOWN.sha256}-low-many"]
    assert found.id == request.id
