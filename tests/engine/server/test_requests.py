"""The wire without a server: what is accepted, how a mistake names its field, how errors and events look."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from engine.errors import (
    RequestError,
)
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.looks import Look
from engine.server.requests import chosen_adapter, parse_request
from tests.engine.server.bodies import CARD, PICTURE, PIXEL, asked, body


def test_a_request_with_everything() -> None:
    request = asked(
        body(
            [{"type": "text", "text": "What?"}, PICTURE, {"type": "text", "text": "Say."}],
            model="toy",
            temperature=0.5,
            num_beams=5,
            n=2,
            min_tokens=3,
            max_tokens=9,
            max_completion_tokens=8,
            stop=["a", "b"],
            seed=2**63,
            prompt_cache_key="c",
        )
    )
    (turn,) = request.turns
    assert [type(part) for part in turn.parts] == [str, Picture, str]
    assert request.generation == Generation(temperature=0.5, top_k=7, num_beams=5, max_tokens=8)
    assert (request.min_tokens, request.stop, request.seed, request.n) == (3, ("a", "b"), 2**63, 2)


def chosen(model: str, adapter: str) -> str:
    return chosen_adapter(parse_request(body(model=model, adapter=adapter)), "toy", ("a", "b"))


def test_an_adapter_is_chosen_by_the_models_name_or_by_its_own() -> None:
    assert [chosen("", ""), chosen("toy", ""), chosen("toy:a", ""), chosen("", "b"), chosen("toy", "b"), chosen("toy:a", "a")] == [
        *("", "", "a", "b", "b", "a")
    ]


@pytest.mark.parametrize(("model", "adapter", "param"), [("a", "", "model"), ("toy", "c", "adapter"), ("toy:a", "b", "adapter")])
def test_an_adapter_that_is_not_there_or_not_the_one_named_is_refused(model: str, adapter: str, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        chosen(model, adapter)
    assert caught.value.param == param


def test_gaps_are_filled_from_the_card_and_zero_is_no_gap() -> None:
    assert asked(body()).generation == CARD.generation
    assert asked(body(top_k=0)).generation.top_k == 0
    assert asked(body(stop="x")).stop == ("x",)


def test_log_probabilities_and_the_beam_tree_are_off_unless_asked_for() -> None:
    assert (asked(body()).logprobs, asked(body()).beam_tree) == (None, False)
    assert asked(body(logprobs=None, top_logprobs=None)).logprobs is None
    assert (asked(body(logprobs=True)).logprobs, asked(body(logprobs=True, top_logprobs=20)).logprobs) == (0, 20)
    assert asked(body(beam_tree=True, num_beams=2)).beam_tree


@pytest.mark.parametrize(
    ("data", "param", "reason"),
    [
        (body(top_logprobs=0), "top_logprobs", "needs logprobs"),
        (body(logprobs=True, num_beams=2), "logprobs", "without beams"),
        (body(beam_tree=True), "beam_tree", "num_beams"),
        (body(model="gpt"), "model", "serves 'toy'"),
        (body(stop=["a", ""]), "stop", "empty"),
        (body(min_tokens=21), "min_tokens", "exceeds max_tokens 20"),
        (b'{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}', "messages[0].content[0]", "system"),
        (
            body([PICTURE, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}]),
            "messages[0].content[1].image_url.url",
            "addresses",
        ),
        (body([PICTURE] * 17), "messages", "17 pictures; the limit is 16"),
        (body("x" * 500_001), "messages", "500,001 characters; the limit is 500,000"),
        (body([{"type": "text", "text": "x" * 250_001}] * 2), "messages", "500,002 characters"),
        (body(tools=[{"type": "function", "function": {"name": "look"}}]), "tools", "calls no tools"),
        (body(response_format={"type": "yaml"}), "response_format", "json_schema"),
    ],
)
def test_what_only_the_model_can_judge_names_its_field_too(data: bytes, param: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        asked(data)
    assert caught.value.param == param


def test_what_openai_s_clients_send_besides_is_understood_or_ignored() -> None:
    assert asked(body(logit_bias={}, user="u", tools=[], response_format={"type": "text"}, stop=[])) == asked(body())
    nulls = ("model", "stream", "n", "min_tokens", "beam_tree", "stop", "seed", "tools", "response_format", "stream_options")
    assert asked(body(**dict.fromkeys(nulls))) == asked(body())
    assert asked(b'{"messages":[{"role":"developer","content":"Be brief."}]}').turns[0].role == "system"
    for detail, look in (("auto", Look()), ("low", Look("low")), ("normal", Look("normal")), ("high", Look("high")), (None, Look())):
        detailed = {"type": "image_url", "image_url": {"url": PIXEL, "detail": detail}}
        assert [picture.look for picture in asked(body([detailed])).pictures] == [look]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        (b"{", None),
        (b"\xff\xfe", None),
        (b"[1]", None),
        (b"null", None),
        (b'{"messages":' + b"[" * 100_000, None),
        (b'{"messages":[{"role":"user","content":"\\ud800"}]}', None),
        (b"{}", "messages"),
        (b'{"messages":[]}', "messages"),
        (b'{"messages":[{"content":"x"}]}', "messages[0].role"),
        (b'{"messages":[{"role":"robot","content":"x"}]}', "messages[0].role"),
        (b'{"messages":[{"role":"user"}]}', "messages[0].content"),
        (body(3), "messages[0].content"),
        (body([{"type": "text"}]), "messages[0].content[0].text"),
        (body([{"type": "video"}]), "messages[0].content[0]"),
        (body([{"type": "text", "text": "x"}, {"type": "image_url"}]), "messages[0].content[1].image_url"),
        (body([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": PIXEL}]), "messages[0].content[1].image_url"),
        (body([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]), "messages[0].content[1].image_url.url"),
        (body([{"type": "image_url", "image_url": {"url": PIXEL, "detail": "fine"}}]), "messages[0].content[0].image_url.detail"),
        (body([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": 1}}]), "messages[0].content[1].image_url.url"),
        (body(temperature=2.5), "temperature"),
        (body(repetition_penalty=1e-38), "repetition_penalty"),
        (body(temperature="warm"), "temperature"),
        (b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}', "temperature"),
        (body(top_p=0), "top_p"),
        (body(num_beams=11), "num_beams"),
        (body(n=0), "n"),
        (body(max_tokens=-1), "max_tokens"),
        (body(seed=2**64), "seed"),
        (body(logprobs=3), "logprobs"),
        (body(logprobs=True, top_logprobs=21), "top_logprobs"),
        (body(stop=["x", 1]), "stop[1]"),
        (body(stop=["x"] * 17), "stop"),
        (body(stop="x" * 257), "stop"),
        (body([{"type": "text", "text": "x"}] * 257), "messages[0].content"),
        (json.dumps({"messages": [{"role": "user", "content": "x"}] * 4001}).encode(), "messages"),
    ],
)
def test_a_mistake_names_its_field(data: bytes, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(data)
    assert caught.value.param == param


@pytest.mark.parametrize("fields", [{"stop": ["x"] * 17}, {"messages": [{"role": "user", "content": "x"}] * 4001}])
def test_a_list_that_is_too_long_hears_how_long_it_may_be(fields: dict[str, object]) -> None:
    with pytest.raises(RequestError, match=r"^The list should have at most (16|4000) items, not (17|4001) \((stop|messages)\)\.$"):
        parse_request(body(**fields))


@settings(deadline=None)
@given(some.binary(max_size=200))
def test_hostile_bytes_are_only_ever_a_request_error(data: bytes) -> None:
    with pytest.raises(RequestError):
        parse_request(data)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(["role", "content", "type", "text", "url"]), inner, max_size=3)
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(some.dictionaries(some.sampled_from(["messages", "temperature", "stop", "n", "stream_options"]), JSON, max_size=4))
def test_hostile_shapes_are_a_request_or_a_request_error(fields: dict[str, object]) -> None:
    data = json.dumps(fields).encode()
    try:
        assert parse_request(data).messages
    except RequestError as error:
        assert error.param is None or error.param.split(".")[0].split("[")[0] in {"messages", *fields}  # noqa: PT017 - see above


def test_a_temperature_too_small_to_divide_by_is_greedy() -> None:
    assert [asked(body(temperature=value)).generation.temperature for value in (1e-300, 1e-40, 0.0009, 0.001)] == [0, 0, 0, 0.001]
