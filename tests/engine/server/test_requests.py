"""The wire without a server: what is accepted, how a mistake names its field, how errors and events look."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from engine.api import Chunk, ChunkChoice, Completion, Delta
from engine.errors import (
    AuthenticationError,
    ContextError,
    EngineError,
    GenerationError,
    NotReadyError,
    OverloadedError,
    PictureError,
    RequestError,
    UnknownModelError,
)
from engine.images.decode import Limits, Picture
from engine.models.card import Card, Generation, Template
from engine.request import ChoiceFinished, Done, Event, Hypothesis, Provisional, Request, Scored, TextDelta, TokenLogprob
from engine.server.chat_chunks import ChatChunks, completion
from engine.server.refusals import refusal
from engine.server.requests import engine_request, parse_request
from engine.server.sse import frame

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # 1 × 1
PICTURE = {"type": "image_url", "image_url": {"url": PIXEL}}


def body(content: object = "Hi", **fields: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **fields}).encode()


CARD = Card(
    name="toy",
    architecture="pocket",
    context_length=64,
    template=Template(user="{content}", assistant="{content}", answer=""),
    generation=Generation(temperature=0.0, top_k=7, max_tokens=20),
)


def asked(data: bytes, limits: Limits = Limits()) -> Request:  # noqa: B008 - frozen
    return engine_request(parse_request(data), CARD, limits)


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


def test_pictures_share_the_limit_of_pixels() -> None:
    assert asked(body([PICTURE] * 2), Limits(pixels=2))
    with pytest.raises(PictureError, match="has 1 × 1 pixels, and those before it 2; the limit is 2 in all") as caught:
        asked(body([PICTURE] * 3), Limits(pixels=2))
    assert caught.value.param == "messages[0].content[2].image_url.url"


def test_what_openai_s_clients_send_besides_is_understood_or_ignored() -> None:
    assert asked(body(logit_bias={}, user="u", tools=[], response_format={"type": "text"}, stop=[])) == asked(body())
    nulls = ("model", "stream", "n", "min_tokens", "beam_tree", "stop", "seed", "tools", "response_format", "stream_options")
    assert asked(body(**dict.fromkeys(nulls))) == asked(body())
    assert asked(b'{"messages":[{"role":"developer","content":"Be brief."}]}').turns[0].role == "system"
    detailed = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
    assert asked(body([detailed])) == asked(body([PICTURE]))


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


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (RequestError("m", "n"), 400, "invalid_request_error", None),
        (PictureError("m", "n"), 400, "invalid_request_error", "invalid_image"),
        (ContextError("m", "n"), 400, "invalid_request_error", "context_length_exceeded"),
        (UnknownModelError("m", "n"), 404, "invalid_request_error", "model_not_found"),
        (AuthenticationError("m"), 401, "authentication_error", "invalid_api_key"),
        (OverloadedError("m", 7), 429, "rate_limit_error", "overloaded"),
        (NotReadyError("m", 7), 503, "server_error", "not_ready"),
        (GenerationError("m"), 500, "server_error", None),
    ],
)
def test_errors_have_openai_s_form(error: EngineError, status: int, kind: str, code: str | None) -> None:
    said = refusal(error)
    assert (said.status, said.body.error.type, said.body.error.code, said.body.error.message) == (status, kind, code, "m")
    assert said.body.error.param == ("n" if isinstance(error, RequestError) else None)
    assert said.retry_after == (7 if isinstance(error, NotReadyError) else None)


def test_a_chunk_is_one_event_and_leaves_out_what_it_does_not_say() -> None:
    chunk = Chunk(id="a", created=1, model="m", choices=(ChunkChoice(delta=Delta(content="two\nlines")),))
    data = frame(chunk)
    assert data.startswith(b"data: {")
    assert data.endswith(b"}\n\n")
    assert data.count(b"\n") == 2
    assert json.loads(data[6:])["choices"] == [{"index": 0, "delta": {"content": "two\nlines"}, "finish_reason": None}]


ANSWER: list[Event] = [
    TextDelta(0, "A"),
    TextDelta(1, "B"),
    TextDelta(0, " cat"),
    ChoiceFinished(1, "length"),
    ChoiceFinished(0, "stop"),
    Done(5, 3, 2),
]


def chunks(events: list[Event], *, include_usage: bool = False) -> list[Chunk]:
    made = ChatChunks("toy", include_usage)
    return [chunk for event in events for chunk in made.of(event)]


def test_a_stream_says_who_speaks_once_and_what_was_dropped_last() -> None:
    said = [(c.choices[0].index, c.choices[0].delta.role, c.choices[0].delta.content, c.choices[0].finish_reason) for c in chunks(ANSWER)]
    assert said == [
        (0, "assistant", "A", None),
        (1, "assistant", "B", None),
        (0, None, " cat", None),
        (1, None, None, "length"),
        (0, None, None, "stop"),
    ]
    assert [chunk.dropped_messages for chunk in chunks(ANSWER)] == [None, None, None, None, 2]


def test_usage_comes_in_a_chunk_of_its_own_when_asked_for() -> None:
    *others, last = chunks(ANSWER, include_usage=True)
    assert (last.choices, last.usage and last.usage.total_tokens) == ((), 8)
    assert all(chunk.usage is None for chunk in others)


def test_beams_send_provisional_text_apart_from_the_answer() -> None:
    events: list[Event] = [
        Provisional(0, "A dog"),
        Provisional(0, "A cat"),
        TextDelta(0, "A cat"),
        ChoiceFinished(0, "stop"),
        Done(1, 2, 0),
    ]
    said = [(chunk.choices[0].provisional, chunk.choices[0].delta.content) for chunk in chunks(events)]
    assert said == [("A dog", None), ("A cat", None), (None, "A cat"), (None, None)]


def test_a_completion_is_the_same_answer_whole() -> None:
    whole: Completion = completion("toy", ANSWER)
    assert [(choice.index, choice.message.content, choice.finish_reason) for choice in whole.choices] == [
        (0, "A cat", "stop"),
        (1, "B", "length"),
    ]
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.dropped_messages) == (5, 3, 2)


def test_an_empty_answer_still_has_its_choice() -> None:
    assert completion("toy", [ChoiceFinished(0, "stop"), Done(1, 1, 0)]).choices[0].message.content == ""


SCORED: list[Event] = [
    TextDelta(0, "", (TokenLogprob(r"bytes:\xc3", -2.0, (Scored("a", -0.5, b"a"), Scored(r"bytes:\xc3", -2.0, b"\xc3")), b"\xc3"),)),
    TextDelta(0, "é", (TokenLogprob(r"bytes:\xa9", -0.25, raw=b"\xa9"),)),
    TextDelta(0, "!"),
    TextDelta(0, "", (TokenLogprob("</s>", 0.0, (Scored("é", -9.0, "é".encode()),)),)),
    ChoiceFinished(0, "stop"),
    Done(1, 3, 0),
]


def test_log_probabilities_have_openai_s_form() -> None:
    whole = json.loads(completion("toy", SCORED).choices[0].model_dump_json())
    assert whole["logprobs"]["content"] == [
        {
            "token": r"bytes:\xc3",
            "logprob": -2.0,
            "bytes": [195],
            "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": [97]}, {"token": r"bytes:\xc3", "logprob": -2.0, "bytes": [195]}],
        },
        {"token": r"bytes:\xa9", "logprob": -0.25, "bytes": [169], "top_logprobs": []},
        {"token": "</s>", "logprob": 0.0, "bytes": None, "top_logprobs": [{"token": "é", "logprob": -9.0, "bytes": [195, 169]}]},
    ]
    streamed = [chunk.choices[0].logprobs for chunk in chunks(SCORED)]
    assert [found and len(found.content or ()) for found in streamed] == [1, 1, None, 1, None]


def test_the_tree_comes_with_the_end_and_nothing_unasked_is_said() -> None:
    tree = (Hypothesis("A", -0.5, None, 1), Hypothesis("A cat", -0.75, 0, 2, -0.1875, 0))
    events: list[Event] = [TextDelta(0, "A cat"), ChoiceFinished(0, "stop", tree, 2.0), Done(1, 2, 0)]
    said = [
        {"text": "A", "score": -0.5, "parent": None, "step": 1},
        {"text": "A cat", "score": -0.75, "parent": 0, "step": 2, "rank": -0.1875, "choice": 0},
    ]
    first, last = (json.loads(chunk.model_dump_json())["choices"][0] for chunk in chunks(events))
    assert json.loads(completion("toy", events).model_dump_json())["choices"][0]["beams"] == last["beams"] == said
    assert last["length_penalty"] == 2
    assert not {"beams", "length_penalty", "logprobs"} & first.keys()
    assert not {"beams", "length_penalty", "logprobs"} & json.loads(completion("toy", ANSWER).model_dump_json())["choices"][0].keys()


def test_a_temperature_too_small_to_divide_by_is_greedy() -> None:
    assert [asked(body(temperature=value)).generation.temperature for value in (1e-300, 1e-40, 0.0009, 0.001)] == [0, 0, 0, 0.001]
