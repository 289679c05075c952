"""MiniGPT-4 on Llama 2 and MiniGPT-v2, imported from the release's files, answer token for token as a plain reference does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.build import build_engine
from engine.core.offline import OfflineEngine
from engine.core.sequences import SampledGroup, SequenceGroup
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.card_reader import read_card
from engine.prompts.turn import Turn
from engine.request import AnswerToExplain, Done, Explained, Request, TextDelta
from engine.runner.kv_cache_size import Capacity
from engine.weights.checkpoint import Kind
from engine.weights.loader import load
from engine.weights.parts import sources_in
from tests.engine.models.minigpt_v2.reference import NEW, PIXELS, Reference, store
from tests.engine.weights.release_files import imported

CPU = torch.device("cpu")


def noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


FIRST, SECOND = Picture(noise(90, 60, 1), "first"), Picture(noise(40, 110, 2), "second")
CONVERSATIONS = {
    "one picture": (Turn("user", (FIRST, "[vqa] What is this?")),),
    "two pictures in a message": (Turn("user", (FIRST, SECOND, "What do they share?")),),
    "a follow-up": (Turn("user", (FIRST, "What is this?")), Turn("assistant", ("A dog.",)), Turn("user", ("[refer] its tail",))),
    "words only": (Turn("user", ("Hello",)),),
}


@pytest.fixture(scope="module", params=sorted(PIXELS))
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return store(request.param, tmp_path_factory.mktemp(request.param) / "files")


@pytest.fixture(scope="module")
def folder(reference: Reference) -> Path:
    """The ready folder, made as `gander model import FOLDER` makes it: parts and kind are told by what is in the files."""
    sources = sources_in(reference.folder)
    assert sources == reference.sources
    assert sources.kind() == reference.kind
    imported(sources, reference.folder.with_name("ready"))
    return reference.folder.with_name("ready")


@pytest.fixture(scope="module")
def decoder(folder: Path) -> OfflineEngine:
    return OfflineEngine(load(folder, CPU, exact=True))


def shown(text: str) -> str:
    """Without what an answer does not show: parts of characters, and space around it."""
    return "".join(text.replace("\ufffd", "").split())


def answer(decoder: OfflineEngine, turns: tuple[Turn, ...], beams: int) -> tuple[str, int]:
    events = list(decoder.generate(Request(turns, Generation(temperature=0.0, max_tokens=NEW, num_beams=beams), min_tokens=NEW)))
    [(length, sight)] = [(event.prompt_tokens, event.sight) for event in events if isinstance(event, Done)]
    assert (sight is not None) == (decoder.model.card.architecture == "minigpt_v2" and any(len(turn.parts) > 1 for turn in turns))
    return "".join(event.text for event in events if isinstance(event, TextDelta)), length


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_answers_equal_the_references(reference: Reference, decoder: OfflineEngine, name: str, beams: int) -> None:
    (text, length), (wanted, expected) = answer(decoder, CONVERSATIONS[name], beams), reference.answer(CONVERSATIONS[name], beams)
    assert length == expected
    assert shown(text) == shown(decoder.model.tokenizer.decode(wanted))


def test_a_picture_becomes_a_quarter_of_its_patches(reference: Reference, decoder: OfflineEngine) -> None:
    for encoding, picture in zip(decoder.model.encode([FIRST.image, SECOND.image]), (FIRST, SECOND), strict=True):
        assert len(encoding.embeddings) == (PIXELS[reference.kind] // 14) ** 2 // 4
        torch.testing.assert_close(encoding.embeddings, reference.see(picture.image), rtol=1e-4, atol=1e-5)


@pytest.mark.sweep  # the engine's own tests hold it for other models: this took ten CPU seconds
def test_company_and_a_known_beginning_change_no_token(reference: Reference, decoder: OfflineEngine) -> None:
    """Prompts are read a block at a time, which cuts pictures; the question asked again finds its beginning known."""
    engine = build_engine(decoder.model, capacity=Capacity(rows=8, blocks=400, prompt_tokens=16))
    groups: list[tuple[str, SequenceGroup]] = []
    for name in (*CONVERSATIONS, "one picture"):
        request = Request(CONVERSATIONS[name], Generation(temperature=0.0, max_tokens=NEW), min_tokens=NEW)
        engine.add(request, lambda event: None)
        groups.append((name, engine.groups[request.id]))
        while name == "words only" and engine.step():
            pass
    while engine.step():
        pass
    for name, group in groups:
        assert isinstance(group, SampledGroup)
        assert group.sequences[0].ids == reference.answer(CONVERSATIONS[name], 1)[0]
    assert groups[-1][1].reused > 0


def test_the_card_says_what_it_is(reference: Reference, folder: Path) -> None:
    card = read_card(folder)
    newest = reference.kind == "minigpt_v2"
    assert (card.architecture, card.version) == ("minigpt_v2" if newest else "minigpt4", "Llama 2 Chat")
    assert (card.context_length, card.generation.temperature, card.generation.max_tokens) == (
        4096,
        0.6 if newest else 1.0,
        500 if newest else 300,
    )
    assert [part.name for part in card.parts][:1] == ["Llama 2 Chat"]


@pytest.mark.parametrize("kind", ["minigpt_v2"])
def test_a_quantised_import_is_the_same_model(kind: Kind, tmp_path: Path) -> None:
    """Adapters are added before the weights are rounded."""
    reference = store(kind, tmp_path / "files")
    imported(reference.sources, tmp_path / "small", "int8")
    model = load(tmp_path / "small", CPU, exact=True)
    ids = torch.tensor([[1, 5, 9, 300]])
    with torch.inference_mode():
        ours = model.language_model.logits(model.language_model(model.language_model.embed(ids), torch.arange(4)[None]))
        theirs = reference.language(ids).logits
    assert (ours - theirs).norm() < 0.05 * theirs.norm()


@torch.inference_mode()
def test_what_the_eye_attends_to_is_told(decoder: OfflineEngine) -> None:
    """Its own patches' attention to each other, computed here from the first layer's matrices, where the model has no Q-Former."""
    encoder = decoder.model.vision_encoder  # type: ignore[attr-defined]  # as MiniGPT-4 has it
    eye, side = encoder.vision_transformer, encoder.image_size
    received: list[torch.Tensor] = []
    x = eye.embed(torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)))
    eye.layers[0](x, received)
    attention = eye.layers[0].self_attn
    query, key, _ = attention.qkv(eye.layers[0].layer_norm1(x))[0].view(x.shape[1], 3, attention.heads, -1).permute(1, 2, 0, 3)
    weights = (query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1)
    torch.testing.assert_close(received[0][0], weights.mean(0).sum(0), rtol=0, atol=1e-5)
    asked = Request(CONVERSATIONS["one picture"], Generation(), explains=AnswerToExplain("A dog."))
    [found] = [event.explanation for event in decoder.generate(asked) if isinstance(event, Explained)]
    [shown] = found.pictures
    assert len(shown.eye) == shown.rows * shown.columns == shown.tokens
    assert sum(shown.eye) == pytest.approx(1, abs=1e-3)
