"""The wire without a server: what is accepted, how a mistake names its field, how errors and events look."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from engine.api import Chunk, ChunkChoice, Delta
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
from engine.pictures import Limits
from engine.wire import frame, parse_request, read_pictures, refusal

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # 1 × 1
PICTURE = {"type": "image_url", "image_url": {"url": PIXEL}}


def body(content: object = "Hi", **fields: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **fields}).encode()


def test_a_request_with_everything() -> None:
    request = parse_request(body([{"type": "text", "text": "What?"}, PICTURE], temperature=0.5, num_beams=5, stop=["a", "b"], seed=2**63))
    assert (request.num_beams, request.stop, request.messages[0].role) == (5, ("a", "b"), "user")
    assert [picture.image.size for picture in read_pictures(request, Limits())] == [(1, 1)]


def test_unknown_fields_are_ignored_as_by_openai() -> None:
    assert parse_request(body(logit_bias={}, user="u")).messages[0].content == "Hi"


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
        (body(temperature="warm"), "temperature"),
        (b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}', "temperature"),
        (body(top_p=0), "top_p"),
        (body(num_beams=11), "num_beams"),
        (body(n=0), "n"),
        (body(max_tokens=-1), "max_tokens"),
        (body(seed=2**64), "seed"),
        (body(stop=["x", 1]), "stop[1]"),
    ],
)
def test_a_mistake_names_its_field(data: bytes, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(data)
    assert caught.value.param == param


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


def test_a_bad_picture_names_its_field() -> None:
    request = parse_request(body([PICTURE, {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]))
    with pytest.raises(PictureError) as caught:
        read_pictures(request, Limits())
    assert caught.value.param == "messages[0].content[1].image_url.url"


def test_too_many_pictures_name_the_limit() -> None:
    with pytest.raises(PictureError, match="3 pictures; the limit is 2"):
        read_pictures(parse_request(body([PICTURE] * 3)), Limits(pictures=2))


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
