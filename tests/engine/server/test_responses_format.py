"""OpenAI's responses, asked by its own SDK: what chat would have said, and mistakes in the client's own field names."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.errors import RequestError
from engine.server.responses_format import ResponsesFormat
from tests.engine.server.bodies import PIXEL
from tests.engine.serving import serving

if TYPE_CHECKING:  # else imported by the tests that ask with it: it takes half a second
    import openai

PLAIN: dict[str, Any] = {"model": "letters", "max_output_tokens": 6, "temperature": 0}


def sdk(url: str) -> openai.AsyncOpenAI:
    import openai

    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


async def test_a_response_is_what_chat_would_have_said() -> None:
    async with serving() as url, sdk(url) as api:
        model = (await api.models.list()).data[0].id
        chat = await api.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
            max_tokens=6,
            temperature=0,
        )
        said = await api.responses.create(**PLAIN | {"model": model}, instructions="Be kind.", input="Hi")
        assert said.output_text == chat.choices[0].message.content != ""
        assert said.status == {"length": "incomplete", "stop": "completed"}[chat.choices[0].finish_reason]
        assert said.usage is not None
        assert chat.usage is not None
        assert (said.usage.input_tokens, said.usage.output_tokens) == (chat.usage.prompt_tokens, chat.usage.completion_tokens)


async def test_a_streamed_response_has_every_event_in_order() -> None:
    async with serving() as url, sdk(url) as api:
        model = (await api.models.list()).data[0].id
        whole = await api.responses.create(**PLAIN | {"model": model}, input="Hi")
        stream = await api.responses.create(**PLAIN | {"model": model}, input="Hi", stream=True)
        events = [event async for event in stream]
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-4:-1] == ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
    assert kinds[-1] == f"response.{whole.status}"
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert events[-1].type in ("response.completed", "response.incomplete")
    assert events[-1].response.output_text == whole.output_text


def test_every_item_becomes_the_message_that_it_means() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": PIXEL}]},
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Grey."}]},
        {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "1"},
        {"type": "function_call_output", "call_id": "1", "output": "sky"},
        {"role": "developer", "content": "Be brief."},
    ]
    form = ResponsesFormat(json.dumps({"input": items, "instructions": "Be kind.", "seed": 7}).encode())
    said = [(turn.role, turn.content if isinstance(turn.content, str) else len(turn.content)) for turn in form.request.messages]
    assert said == [
        ("system", "Be kind."),
        ("user", 2),
        ("assistant", 1),
        ("assistant", "[called look({})]"),
        ("user", "[a tool answered]\nsky"),
        ("system", "Be brief."),
    ]
    assert form.request.seed == 7


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "Hi", "max_output_tokens": 0}, "max_output_tokens"),
        ({"input": "Hi", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": []}, "input"),
        ({}, "input"),
        ({"input": [{"role": "user"}], "instructions": "Be kind."}, "input[0].content"),
        ({"input": [{"type": "reasoning"}, {"role": "user", "content": [{"type": "input_file"}]}]}, "input[1].content[0]"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].content[0]"),
        ({"input": "Hi", "temperature": 9}, "temperature"),
        ({"input": "Hi", "instructions": 5}, "instructions"),
    ],
)
def test_a_mistake_has_the_name_that_the_client_gave(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        ResponsesFormat(json.dumps(fields).encode())
    assert (caught.value.param or "").startswith(param)
    assert "messages" not in str(caught.value)


async def test_a_pictures_mistake_too() -> None:
    import openai

    async with serving() as url, sdk(url) as api:
        picture: Any = {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "auto"}
        with pytest.raises(openai.BadRequestError) as caught:
            await api.responses.create(model="", input=[{"role": "user", "content": [picture]}])
    assert caught.value.param == "input[0].content[0].image_url"
    assert caught.value.code == "invalid_image"


LEAVES = some.none() | some.booleans() | some.integers() | some.text(max_size=5)

JSON = some.recursive(LEAVES, lambda inner: some.lists(inner, max_size=3))

NAMES = some.sampled_from(["role", "type", "content", "text", "name", "output", "image_url", "message", "input_text", "function_call"])

ITEMS = some.lists(some.dictionaries(NAMES, JSON | NAMES | some.just("user"), max_size=5) | JSON, max_size=4)


@given(ITEMS, some.dictionaries(some.sampled_from(["instructions", "text", "tools", "max_output_tokens", "stream"]), JSON))
def test_nothing_but_a_request_error_comes_of_anything(items: list[object], fields: dict[str, object]) -> None:
    with suppress(RequestError):
        ResponsesFormat(json.dumps({"input": items, **fields}).encode())
