"""Explanations are what transformers computes of the same weights with `output_attentions`, and disturb nobody's answer."""

from __future__ import annotations

import json
from dataclasses import replace

import aiohttp
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from engine.core.build import build_engine
from engine.core.offline import OfflineEngine
from engine.core.worker import Loaded
from engine.errors import EngineError
from engine.explanation import ExplainedAnswer
from engine.images.decode import Limits, decode_picture
from engine.models.minigpt4.config import Architecture
from engine.models.minigpt4.minigpt4 import MiniGPT4, VisionEncoder, as_bytes, normalise
from engine.prompts.turn import Turn
from engine.request import AnswerToExplain, Event, Explained, Request, TextDelta
from engine.weights.loader import load
from tests.engine.core.requests import asked, events, text
from tests.engine.models.minigpt4.blip2 import their_qformer, their_vision_transformer
from tests.engine.serving import serving
from tests.engine.tiny import TinyModel
from tests.engine.weights.release_files import GOLDEN, golden_sources, imported

ANSWER = "A grey field."
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> MiniGPT4:
    folder = tmp_path_factory.mktemp("models") / "v0"
    imported(golden_sources("v0"), folder)
    model = load(folder, CPU, exact=True)
    assert isinstance(model, MiniGPT4)
    return model


def explained(found: list[Event]) -> ExplainedAnswer:
    [explanation] = [event.explanation for event in found if isinstance(event, Explained)]
    return explanation


def question(model: MiniGPT4) -> Request:
    pictures = [decode_picture((GOLDEN / "tiny-v0" / name).read_bytes(), Limits()) for name in ("a.png", "gray.png")]
    return Request((Turn("user", (*pictures, "What differs?")),), model.card.generation, explains=AnswerToExplain(ANSWER))


def by_transformers(model: MiniGPT4, prompt: Tensor, ids: list[int]) -> tuple[Tensor, Tensor]:
    """Of the release's merged weights: attention [layers, heads, tokens, tokens] and logits, of a prompt and an answer."""
    config = LlamaConfig.from_pretrained(GOLDEN / "tiny-v0" / "vicuna-delta-v0")
    config.vocab_size = model.language_model.config.vocab_size
    config._attn_implementation = "eager"
    theirs = LlamaForCausalLM(config).eval()
    theirs.load_state_dict(load_file(GOLDEN / "tiny-v0" / "expected_vicuna.safetensors"), strict=False)
    theirs.float()
    embeddings = torch.cat((prompt, theirs.model.embed_tokens(torch.tensor(ids[:-1]))))
    found = theirs(inputs_embeds=embeddings[None], output_attentions=True)
    return torch.stack(found.attentions)[:, 0], found.logits[0]


@torch.inference_mode()
def test_the_language_models_attention_and_chances_are_transformers(golden: MiniGPT4) -> None:
    engine, request = OfflineEngine(golden), question(golden)
    ours = explained(list(engine.generate(request)))
    ids = [token.id for token in ours.answer]
    assert "".join(token.text for token in ours.answer) == ANSWER
    preprocessor = engine.engine.preprocessor
    attention, logits = by_transformers(golden, preprocessor.contexts.embed(preprocessor.context(request)), ids)
    rows, chances = attention.mean((0, 1))[-len(ids) :], logits[-len(ids) :].softmax(-1)
    for at, token in enumerate(ours.answer):
        for picture, seen in enumerate(ours.pictures):
            expected = rows[at, seen.start : seen.start + seen.tokens]
            torch.testing.assert_close(torch.tensor(token.attention[picture]), expected, rtol=0, atol=1e-5)
        assert token.probability == pytest.approx(float(chances[at, token.id]), abs=1e-5)
        assert [rival.id for rival in token.rivals] == chances[at].topk(6).indices.tolist()
    one = explained(list(engine.generate(replace(request, explains=AnswerToExplain("", tuple(ids), layer=1)))))
    second = attention[1].mean(0)[-len(ids), ours.pictures[0].start : ours.pictures[0].start + ours.pictures[0].tokens]
    torch.testing.assert_close(torch.tensor(one.answer[0].attention[0]), second, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_where_the_queries_looked_is_transformers(golden: MiniGPT4) -> None:
    ours = explained(list(OfflineEngine(golden).generate(question(golden)))).pictures[1]
    sizes, encoder = json.loads((GOLDEN / "tiny-v0" / "architecture.json").read_text()), golden.vision_encoder
    assert isinstance(encoder, VisionEncoder)
    architecture = Architecture.model_validate(sizes)
    sight = their_vision_transformer(architecture.vision)
    sight.load_state_dict(encoder.vision_transformer.state_dict())
    assert architecture.qformer is not None
    queries = their_qformer(architecture.qformer, architecture.vision.hidden_size, "eager")
    queries.load_state_dict(encoder.qformer.state_dict())
    image = decode_picture((GOLDEN / "tiny-v0" / "gray.png").read_bytes(), Limits()).image
    features = sight(normalise(as_bytes(golden.prepare([image])))).last_hidden_state
    looked = queries(query_embeds=encoder.query_tokens, encoder_hidden_states=features, output_attentions=True).cross_attentions
    expected = torch.stack(list(looked))[:, 0].mean(1)[..., 1:]
    torch.testing.assert_close(torch.tensor(ours.layers), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.tensor(ours.maps), expected.mean(0), rtol=0, atol=1e-5)
    assert ours.rows * ours.columns == len(ours.maps[0])
    assert all(0 < sum(row) <= 1.001 for row in ours.taken)


def test_the_prompt_is_told_token_by_token_with_pictures_in_their_places() -> None:
    model = TinyModel()
    found = explained(events(model, replace(asked(), explains=AnswerToExplain("Hi"))))
    at = next(place for place, token in enumerate(found.prompt) if token.picture == 0)
    assert (found.pictures[0].start, found.pictures[0].tokens) == (at, 4)
    assert "".join(token.text for token in found.prompt[:at]).endswith("user\n")
    assert found.pictures[0].rows == 0  # this encoder doesn't say where its tokens stand


def test_an_explanation_changes_no_answer_beside_it() -> None:
    alone = text(events(TinyModel(), asked(max_tokens=12)))
    engine = build_engine(TinyModel(), rows=4)
    found: list[Event | EngineError] = []
    gone: list[Event | EngineError] = []
    engine.add(asked(max_tokens=12), found.append)
    engine.add(replace(asked(), explains=AnswerToExplain("Hello")), found.append)
    dropped = replace(asked(), explains=AnswerToExplain("Bye"))
    engine.add(dropped, gone.append)
    engine.step()
    engine.abort(dropped.id)
    while engine.step():
        pass
    assert "".join(event.text for event in found if isinstance(event, TextDelta)) == alone
    assert [token.text for token in explained([event for event in found if not isinstance(event, EngineError)]).answer] == list("Hello")
    assert gone == []


def test_a_growing_answer_waits_for_its_own_explanation_and_others_do_not() -> None:
    engine, told = build_engine(TinyModel(), rows=4), list[bool]()
    first, other = asked(max_tokens=200), asked(Turn("user", ("Another question",)), max_tokens=200)
    own = replace(first, explains=AnswerToExplain("Hi"))
    found: list[Event | EngineError] = []
    ask_whose = engine.explanations.next

    def watched(*, busy: bool) -> str | None:
        told.append(busy)
        return ask_whose(busy=busy)

    engine.explanations.next = watched  # type: ignore[method-assign]  # what it is told is what matters
    engine.add(first, lambda event: None)
    engine.step()
    engine.add(own, found.append)
    while not any(isinstance(event, Explained) for event in found):
        engine.step()
    assert not any(told)
    assert first.id in engine.groups  # it is still being written
    engine.add(other, lambda event: None)
    engine.add(replace(own, explains=AnswerToExplain("Hello")), found.append)
    engine.step()
    assert told[-1]


def test_an_answer_of_a_search_is_explained_as_any_other() -> None:
    both = (replace(asked(num_beams=beams), explains=AnswerToExplain("Hi")) for beams in (1, 3))
    plain, beams = (explained(events(TinyModel(), each)) for each in both)
    assert beams.answer == plain.answer


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"answer": ""}, None),
        ({"answer_token_ids": [9999]}, "answer_token_ids"),
        ({"answer": "Hi", "layer": 99}, "layer"),
        ({"answer": "Hi" * 600}, "answer"),
    ],
)
async def test_what_can_not_be_explained_is_refused_by_its_field(fields: dict[str, object], param: str | None) -> None:
    model = TinyModel()
    engine = build_engine(model, rows=2)
    loaded = Loaded(engine, "cpu", lambda: 0, 2, explanation_seconds=lambda: engine.explanations.last_seconds)
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    async with serving(lambda: loaded, card=model.card) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/v1/explain", json=body | fields) as refused:
            assert refused.status == 400
            assert (await refused.json())["error"]["param"] == param
        async with session.post(f"{url}/v1/explain", json=body | {"answer": "Hi", "stream": True}) as found:
            assert ExplainedAnswer.model_validate_json(await found.read()).complete
        async with session.get(f"{url}/health") as health:
            told = await health.json()
    assert told["explains"]
    assert told["explanation_seconds"] > 0
