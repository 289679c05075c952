"""What clients in the field send, read as they mean it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.api import ChatRequest
from engine.core.build import build_engine
from engine.core.detokenizer import Detokenizer
from engine.core.sampler import Sampler
from engine.core.sampling_params import SamplingParams
from engine.errors import EngineError, RequestError
from engine.images.decode import Limits, decode_data_url
from engine.models.card import Generation
from engine.models.tokenizer import JsonTokenizer
from engine.prompts.turn import Turn
from engine.server.refusals import refusal
from engine.server.requests import engine_request, parse_request
from tests.engine.core.requests import asked as asking
from tests.engine.core.requests import model, run
from tests.engine.core.test_detokenizer import TOKENIZER
from tests.engine.server.bodies import CARD, PIXEL, asked, body
from tests.engine.tiny import TinyModel
from tests.engine.weights.test_tokenizer_conversion import TOKENIZER as SENTENCEPIECE

USER = {"role": "user", "content": "Hi"}


def turns(*messages: object) -> tuple[Turn, ...]:
    request = ChatRequest.model_validate({"messages": messages})
    return engine_request(request, CARD, Limits()).turns


def test_a_tools_history_and_refusals_are_text() -> None:
    called = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}
    assert turns(
        USER,
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "1", "content": "blue"},
        {"role": "assistant", "content": None, "refusal": "I can't."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "developer", "content": "Be brief."},
    ) == (
        Turn("user", ("Hi",)),
        Turn("assistant", ('[called look({"at": "sky"})]',)),
        Turn("user", ("[a tool answered]\nblue",)),
        Turn("assistant", ("I can't.",)),
        Turn("assistant", ("No.",)),
        Turn("system", ("Be brief.",)),
    )


def test_tools_that_are_not_to_be_called_are_no_trouble() -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    assert asked(body(tools=tools, tool_choice="none")) == asked(body())
    for choice in ("auto", "required", None):
        with pytest.raises(RequestError, match="calls no tools"):
            asked(body(tools=tools, tool_choice=choice))


@pytest.mark.parametrize("url", [PIXEL.replace("data:", "DATA:"), PIXEL.replace("base64", "BASE64"), PIXEL.rstrip("="), PIXEL + "\n"])
def test_a_data_url_may_be_spelt_in_any_way(url: str) -> None:
    assert decode_data_url(url, Limits()) == decode_data_url(PIXEL, Limits())


def test_base64_may_be_of_urls_and_without_padding() -> None:
    assert decode_data_url("data:image/png;base64,-_-_-w", Limits()) == b"\xfb\xff\xbf\xfb"


def test_nothing_a_client_sent_comes_back_beyond_200_characters() -> None:
    long = "x" * 5000
    for data in (
        body(model=long),
        body(response_format={"type": long}),
        body([{"type": long}]),
        body(logit_bias={long: 1}),
        body(temperature=long),
        body("Hi", messages=[{"role": long, "content": "Hi"}]),
    ):
        with pytest.raises(EngineError) as caught:
            asked(data)
        said = refusal(caught.value).body.model_dump_json()
        assert "x" * 201 not in said


def test_penalties_and_biases_are_openai_s() -> None:
    sampler = Sampler(2, 6, [5], torch.device("cpu"))
    params = [
        SamplingParams(0, Generation(frequency_penalty=0.5, presence_penalty=0.25)),
        SamplingParams(1, Generation(), bias=((1, -100.0), (4, 2.0))),
    ]
    for token in (3, 3, 2):
        sampler.note(torch.tensor([token, token]), params)
    found = sampler.process(torch.zeros(2, 6), params)
    assert found.tolist() == [[0, 0, -0.75, -1.25, 0, 0], [0, -100, 0, 0, 2, 0]]
    sampler.begin(0)
    assert sampler.process(torch.zeros(2, 6), params)[0].tolist() == [0] * 6


def test_a_bias_reaches_the_answer_and_names_a_token_that_is_none() -> None:
    wish = parse_request(body(logit_bias={"65": 100, "66": -3.5}))
    assert engine_request(wish, CARD, Limits()).logit_bias == ((65, 100.0), (66, -3.5))
    (listener,) = run(build_engine(model()), replace(asking(max_tokens=3), logit_bias=((65, 100.0),)))
    assert listener.text == "65 65 65"
    (refused,) = run(build_engine(model()), replace(asking(), logit_bias=((258, 1.0),)))
    assert isinstance(refused.events[0], RequestError)
    assert refused.events[0].param == "logit_bias"


def test_an_answer_goes_on_with_the_assistants_last_words() -> None:
    engine = build_engine(TinyModel())
    ids = engine.model.tokenizer.encode("It is")
    begun = replace(asking(Turn("user", ("Hi",)), Turn("assistant", ("It is",)), max_tokens=6), continues=True)
    context = engine.preprocessor.context(begun)
    assert list(context.segments[-1][-len(ids) :]) == ids  # type: ignore[index]
    biased = {letter: TOKENIZER.encode(letter)[0] for letter in " !"}
    (listener,) = run(engine, replace(begun, logit_bias=((biased[" "], 100.0),)))
    assert listener.text == ""  # blanks at an answer's end are not shown
    (listener,) = run(engine, replace(begun, logit_bias=((biased["!"], 100.0),)))
    assert listener.text == "!!!!!!"


def test_what_goes_on_keeps_the_blank_that_it_begins_with() -> None:
    for tokenizer in (TOKENIZER, JsonTokenizer(SENTENCEPIECE, None, [])):
        ids = tokenizer.encode("a b")
        answer = Detokenizer(tokenizer, [], after=ids[:1])
        assert "".join([*(answer.push(token)[0] for token in ids[1:]), answer.finish()]) == " b"
        assert answer.decode(ids[1:])[0] == " b"


def test_only_the_assistants_message_is_gone_on_with() -> None:
    with pytest.raises(RequestError) as caught:
        asked(body(continue_final_message=True))
    assert caught.value.param == "continue_final_message"
