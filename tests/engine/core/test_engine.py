"""Many requests in one batch: each gets exactly the answer that transformers gives it alone, whatever its company."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from engine.core.build import build_engine
from engine.errors import ContextError, GenerationError
from engine.images.decode import Picture
from engine.kv_cache.cache import SCRATCH
from engine.metrics import Metrics
from engine.models.llama.llama import Llama
from engine.prompts.turn import Turn
from engine.request import Request, TextDelta
from engine.runner.kv_cache_size import capacity_for
from tests.engine.core.requests import GREY, QUESTION, QUESTIONS, RED, Listener, asked, model, oracle_text, run
from tests.engine.tiny import TinyModel, tiny_card


@lru_cache
def expected(request: Request) -> str:
    with torch.no_grad():
        return oracle_text(model(), request)


requests = st.builds(
    lambda turns, beams, repetition, length, tokens: asked(
        *turns, num_beams=beams, repetition_penalty=repetition, length_penalty=length, max_tokens=tokens
    ),
    st.sampled_from(QUESTIONS),
    st.sampled_from([1, 1, 1, 2, 4]),
    st.sampled_from([1.0, 1.3]),
    st.sampled_from([1.0, -1.0]),
    st.sampled_from([1, 9, 24]),
)


@pytest.mark.filterwarnings("ignore:Passing `repetition_penalty` with `inputs_embeds`:UserWarning")  # which is what we do too
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    asks=st.lists(st.tuples(requests, st.integers(0, 12), st.none() | st.integers(0, 20)), min_size=1, max_size=7),
    rows=st.integers(4, 9),
    tokens=st.sampled_from([600, 1200, 4000]),
    chunk=st.sampled_from([7, 64, 512]),
)
def test_every_mix_gives_each_its_own_answer(asks: list[tuple[Request, int, int | None]], rows: int, tokens: int, chunk: int) -> None:
    """Requests arrive and leave at any step, with few rows and blocks or many, in chunks of any size, with known prefixes or none."""
    capacity = capacity_for(model(), compact=False, rows=rows, tokens=tokens)
    engine = build_engine(model(), capacity=replace(capacity, pictures=1, prompt_tokens=chunk))
    heard: list[Listener] = []
    at, busy = 0, True
    while busy or at <= 12:
        heard += [Listener(request).join(engine) for request, arrival, _ in asks if arrival == at]
        busy = engine.step()
        at += 1
        for listener, leaves in zip(heard, (leaves for _, arrival, leaves in sorted_by_arrival(asks)), strict=False):
            if leaves is not None and leaves <= at:
                engine.abort(listener.request.id)
    for listener, (_, _, leaves) in zip(heard, sorted_by_arrival(asks), strict=True):
        assert listener.done or leaves is not None
        if listener.done:
            assert listener.text == expected(listener.request)
    assert engine.scheduler.pool.available == engine.capacity.blocks
    assert len(engine.scheduler.free_slots) == rows


def sorted_by_arrival(asks: Sequence[tuple[Request, int, int | None]]) -> list[tuple[Request, int, int | None]]:
    return sorted(asks, key=lambda ask: ask[1])


def test_a_follow_up_reads_only_what_is_new() -> None:
    engine = build_engine(TinyModel())
    (first,) = run(engine, asked())
    turns = (QUESTION, Turn("assistant", (first.text,)), Turn("user", ("And?",)))
    follow_up = Listener(asked(*turns)).join(engine)
    engine.step()
    (group,) = engine.groups.values()
    assert group.reused > 100  # of the first question's 125
    assert group.prefilled
    while engine.step():
        pass
    (alone,) = run(build_engine(TinyModel()), asked(*turns))
    assert follow_up.text == alone.text


def test_a_picture_is_another_even_with_the_same_words_around_it() -> None:
    engine = build_engine(TinyModel())
    red, grey = (asked(Turn("user", (picture, "What is it?"))) for picture in (RED, GREY))
    alone = [run(build_engine(TinyModel()), request)[0].text for request in (red, grey)]
    assert [run(engine, request)[0].text for request in (red, grey)] == alone
    assert alone[0] != alone[1]


def test_a_long_prompt_never_stops_the_others_for_more_than_one_budget() -> None:
    made = TinyModel(card=tiny_card(context_length=2000))
    engine = build_engine(made, capacity=replace(capacity_for(made, compact=False), prompt_tokens=32))
    talking = Listener(replace(asked(Turn("user", ("Hi",)), max_tokens=60), min_tokens=60, logprobs=0)).join(engine)
    while not talking.events:
        engine.step()
    reading = Listener(asked(Turn("user", ("word " * 200,)))).join(engine)
    while not reading.events:
        before = sum(isinstance(event, TextDelta) for event in talking.events)
        engine.step()
        assert sum(isinstance(event, TextDelta) for event in talking.events) == before + 1
    assert sum(isinstance(event, TextDelta) for event in talking.events) > 20  # the prompt took so many steps


@pytest.mark.parametrize("beams", [1, 4])
def test_who_leaves_frees_its_rows_within_one_step(beams: int) -> None:
    metrics = Metrics()
    engine = build_engine(TinyModel(), metrics=metrics)
    listener = Listener(asked(num_beams=beams, max_tokens=100)).join(engine)
    for _ in range(5):
        engine.step()
    assert len(engine.scheduler.free_slots) == engine.capacity.rows - beams
    engine.abort(listener.request.id)
    assert not engine.step()
    assert len(engine.scheduler.free_slots) == engine.capacity.rows
    assert engine.scheduler.pool.available == engine.capacity.blocks
    written = 5 if beams == 1 else 6  # the first step chose two; a row's last token is heard one step late
    assert f"gander_tokens_total {written}.0" in metrics.exposition().decode()


def test_what_waits_for_room_is_answered_in_order() -> None:
    engine = build_engine(TinyModel(), rows=2)
    heard = [Listener(asked(Turn("user", (f"Number {number}",)), max_tokens=5)).join(engine) for number in range(5)]
    ended: list[Listener] = []
    while engine.step():
        assert len(engine.scheduler.running) <= 2
        ended += [listener for listener in heard if listener.done and listener not in ended]
    assert [*ended, *(listener for listener in heard if listener not in ended)] == heard
    assert all(listener.done for listener in heard)


def test_what_could_never_run_is_refused() -> None:
    engine = build_engine(TinyModel(), rows=2, tokens=600)
    (beams,) = run(engine, asked(num_beams=3))
    (long,) = run(engine, replace(asked(max_tokens=400), n=2))
    for listener in (beams, long):
        (error,) = listener.events
        assert isinstance(error, ContextError)
        assert "fewer beams" in str(error)
    (fine,) = run(engine, asked())
    assert fine.done


def test_memory_is_flat_over_many_conversations() -> None:
    engine = build_engine(TinyModel(), rows=4, tokens=800)
    size = sum(shard.keys.nbytes + shard.values.nbytes for shard in engine.runner.cache.shards)
    for number in range(40):
        run(engine, *(asked(Turn("user", (f"{number} and {other} " * 5,)), max_tokens=9) for other in range(3)))
    assert sum(shard.keys.nbytes + shard.values.nbytes for shard in engine.runner.cache.shards) == size
    pool = engine.scheduler.pool
    assert len(pool.block_of) == len(pool.digest_of) <= engine.capacity.blocks
    assert pool.available == engine.capacity.blocks


def test_what_blocks_held_before_is_nobodys_trouble() -> None:
    """Also if it was no number, which an overflow in fp16 leaves behind."""
    asks = [asked(), asked(num_beams=3), asked(Turn("user", ("hello",)), max_tokens=40)]
    engine = build_engine(TinyModel())
    for shard in engine.runner.cache.shards:
        shard.keys.fill_(torch.nan)
        shard.values.fill_(torch.nan)
    assert [heard.text for heard in run(engine, *asks)] == [heard.text for heard in run(build_engine(TinyModel()), *asks)]


def test_a_prepared_picture_is_small_and_answered_alike() -> None:
    request = asked(Turn("user", (GREY, RED, "Both?")))
    engine = build_engine(TinyModel())
    ready = engine.preprocessor.prepare(request)
    assert [picture.image.size for picture in ready.pictures] == [(4, 4), (4, 4)]
    assert ready == request  # for what counts is whose picture it is
    texts = [run(engine, ready)[0].text, run(build_engine(TinyModel()), request)[0].text]
    assert texts[0] == texts[1]
    assert engine.preprocessor.prepare(request).pictures[0].image is GREY.image, "a known picture is not worked on again"


def test_logprobs_are_of_each_token_and_in_order() -> None:
    made = model(ends=False)
    (listener,) = run(build_engine(made), replace(asked(max_tokens=6), logprobs=3))
    tokens = [token for event in listener.events if isinstance(event, TextDelta) for token in event.logprobs]
    assert " ".join(token.text for token in tokens) == listener.text
    assert all(token.logprob == token.top[0][1] and token.text == token.top[0][0] for token in tokens)  # greedy
    assert all(0 >= one[1] >= other[1] for token in tokens for one, other in zip(token.top, token.top[1:], strict=False))


def test_what_is_counted_adds_up() -> None:
    metrics = Metrics()
    engine = build_engine(TinyModel(), metrics=metrics)
    run(engine, asked(max_tokens=9), replace(asked(max_tokens=9), n=2))
    run(engine, asked(num_beams=2, max_tokens=9))
    shown = dict(line.rsplit(" ", 1) for line in metrics.exposition().decode().splitlines() if not line.startswith("#"))
    assert shown["gander_requests_total"] == "3.0"
    assert shown['gander_requests_finished_total{reason="length"}'] == "3.0"
    assert shown["gander_tokens_total"] == "36.0"
    assert shown["gander_first_token_seconds_count"] == "3.0"
    assert shown["gander_inter_token_seconds_count"] == "24.0"
    assert float(shown["gander_prompt_tokens_cached_total"]) == 112  # the third found the first's full blocks
    # The first two came together: their picture was encoded once.
    assert (shown['gander_pictures_total{cache="miss"}'], shown['gander_pictures_total{cache="hit"}']) == ("1.0", "2.0")
    assert shown["gander_queue_length"] == "0.0"


class Cramped(Llama):
    """Has memory for no more than `most` tokens a pass."""

    most = 0

    def forward(self, hidden: Tensor, *others: Any, **more: Any) -> Tensor:
        if hidden.shape[1] > self.most:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return super().forward(hidden, *others, **more)


@pytest.mark.parametrize(("most", "answered"), [(130, True), (64, True), (20, True), (5, False)])
def test_a_prompt_that_memory_has_no_room_for_is_read_in_smaller_pieces(most: int, answered: bool) -> None:
    made = TinyModel()
    made.language_model.__class__ = Cramped
    engine = build_engine(made)
    engine.runner.language.most = most  # type: ignore[assignment]
    (listener,) = run(engine, asked())
    if answered:
        assert listener.text == run(build_engine(TinyModel()), asked())[0].text
    else:
        (error,) = listener.events
        assert isinstance(error, GenerationError)
        assert "fewer" in str(error)
    assert engine.scheduler.pool.available == engine.capacity.blocks


def test_nothing_is_kept_of_what_is_forgotten(tmp_path: Path) -> None:
    """Neither its pictures, in memory and on disk, nor the keys and values of any prompt; answers stay what they were."""
    engine = build_engine(TinyModel(), pictures=tmp_path)
    (before,) = run(engine, asked())
    shown = {picture.sha256 for picture in before.request.pictures}
    assert {path.stem for path in tmp_path.iterdir()} == shown
    engine.forget(sorted(shown))
    assert list(tmp_path.iterdir()) == []
    assert not engine.preprocessor.embeddings.encoded
    for shard in engine.runner.cache.shards:
        assert not shard.keys[:, SCRATCH:].any()
        assert not shard.values[:, SCRATCH:].any()
    again = Listener(asked()).join(engine)
    engine.step()
    (group,) = engine.groups.values()
    assert group.reused == 0
    engine.forget(sorted(shown))  # while it is being answered
    while engine.step():
        pass
    assert again.text == before.text
    assert engine.scheduler.pool.available == engine.capacity.blocks


@pytest.mark.parametrize(("beams", "n"), [(1, 2), (3, 1)])
def test_pixels_go_with_the_answer(beams: int, n: int) -> None:
    """Not only at the next garbage collection: nine large pictures would take half a gigabyte until then."""
    engine, picture = build_engine(model(), rows=4), Picture(Image.new("RGB", (30, 20), "red"), "c" * 64)
    pixels = weakref.ref(picture.image)
    request = replace(asked(Turn("user", (picture, "What?")), num_beams=beams, max_tokens=5), n=n)
    del picture
    gc.disable()
    try:
        assert run(engine, request)[0].done
        del request
        assert pixels() is None
    finally:
        gc.enable()
