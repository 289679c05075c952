"""The engine's events become OpenAI's chunks, or one completion that says the same."""

from __future__ import annotations

import json

from engine.api import Chunk, ChunkChoice, Completion, Delta, NamedBox
from engine.boxes import Sight
from engine.request import ChoiceFinished, Done, Event, Hypothesis, Provisional, Scored, TextDelta, TokenLogprob
from engine.server.chat_chunks import ChatChunks, completion
from engine.server.sse import frame


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


def test_an_answer_that_says_where_things_are_ends_with_boxes() -> None:
    sight, box = Sight("percent"), NamedBox(name="a cat", left=0.1, top=0.2, right=0.3, bottom=0.4)
    said: list[Event] = [TextDelta(0, "<p>a cat</p> {<10>"), TextDelta(0, "<20><30><40>}"), ChoiceFinished(0, "stop"), Done(5, 3, 0, sight)]
    *others, end = (chunk.choices[0] for chunk in chunks(said))
    assert (end.boxes, end.plain) == ((box,), "a cat")
    assert all(choice.boxes is None for choice in others)
    assert completion("toy", said).choices[0].boxes == (box,)
    assert "boxes" not in chunks(ANSWER)[-1].model_dump_json()


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
