"""Types that transformers runs for us answer as its plain `generate` does, alone and in company, a token a step, cancelled in between."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
import torch

from engine.core.startup import EngineOptions
from engine.errors import ContextError, EngineError, ModelError, RequestError
from engine.fallback.build import build_fallback
from engine.fallback.engine import FallbackEngine
from engine.fallback.run import SampledRun
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.card_reader import read_card
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Done, Event, Provisional, Request, TextDelta
from engine.weights.loader import load
from tests.engine.fallback.tiny_types import RARE, TYPES
from tests.engine.models.pretrained.repositories import Repository, picture, store_parts
from tests.engine.models.pretrained.test_model import CONVERSATIONS, FIRST, NEW, inputs, shown, theirs

EXACT = EngineOptions(("cpu",), exact=True, rows=4)
SHORT = CONVERSATIONS["one picture"]


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.sweep if name in RARE else ()) for name in sorted(TYPES)])
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    torch.manual_seed(0)
    return store_parts(TYPES[request.param](), tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def engine(repository: Repository) -> FallbackEngine:
    built = build_fallback(repository.folder, [torch.device("cpu")], EXACT).engine
    assert isinstance(built, FallbackEngine)
    return built


Log = defaultdict[str, list[Event | EngineError]]


def asked(turns: tuple[Turn, ...], beams: int = 1, **more: object) -> Request:
    settings = Generation(temperature=0.0, max_tokens=NEW, num_beams=beams)
    return replace(Request(turns, settings, min_tokens=NEW), **more)  # type: ignore[arg-type]  # a Request's own fields


def answers(engine: FallbackEngine, *requests: Request) -> list[list[Event | EngineError]]:
    """The events of each, all asked at once."""
    log = Log(list)
    for request in requests:
        engine.add(engine.preprocessor.prepare(request), log[request.id].append)
    ids = list(log)
    while engine.step():
        pass
    assert not engine.runs
    return [log[name] for name in ids]


def text(events: list[Event | EngineError], choice: int = 0) -> str:
    assert isinstance(events[-1], Done), events
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.choice == choice)


def test_another_picture_moves_the_logits(repository: Repository) -> None:
    one, other = (inputs(repository, (Turn("user", (Picture(picture(96, 64, seed), "any"), "What is this?")),)) for seed in (0, 1))
    with torch.inference_mode():
        a, b = (repository.model(**given).logits[0, -1] for given in (one, other))
    assert (a - b).norm() > 0.01 * a.norm()


def tokens(events: list[Event | EngineError]) -> list[str]:
    """Each token that was written, spelt; of a request for log-probabilities."""
    return [scored.text for event in events if isinstance(event, TextDelta) for scored in event.logprobs]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_tokens_equal_those_of_plain_generate(repository: Repository, engine: FallbackEngine, name: str) -> None:
    [events] = answers(engine, asked(CONVERSATIONS[name], logprobs=0))
    wanted, length = theirs(repository, name)
    assert tokens(events) == [engine.model.tokenizer.spell(token)[0] for token in wanted]
    assert events[-1] == Done(length, NEW, 0)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_beams_equal_those_of_plain_generate(repository: Repository, engine: FallbackEngine, name: str) -> None:
    [events] = answers(engine, asked(CONVERSATIONS[name], 3))
    wanted, length = theirs(repository, name, 3)
    assert shown(text(events)) == shown(repository.processor.tokenizer.decode(wanted, skip_special_tokens=True))
    assert events[-1] == Done(length, NEW, 0)
    assert any(isinstance(event, Provisional) for event in events)


def test_in_company_each_gets_the_answer_it_gets_alone(engine: FallbackEngine) -> None:
    """Two that share a run, padded, one with other words alone, one with beams; another comes while they are written."""
    questions = (SHORT, (Turn("user", (FIRST, "And what is this?")),), CONVERSATIONS["words only"])
    alone = [tokens(events) for turns in questions for events in answers(engine, asked(turns, logprobs=0))]
    late = asked(CONVERSATIONS["a follow-up"], logprobs=0)
    [expected] = [tokens(events) for events in answers(engine, asked(CONVERSATIONS["a follow-up"], logprobs=0))]
    log = Log(list)
    requests = [asked(turns, logprobs=0) for turns in questions]
    for request in requests:
        engine.add(request, log[request.id].append)
    engine.step()
    assert {run.rows for run in engine.runs} >= {2}
    engine.add(late, log[late.id].append)
    while engine.step():
        pass
    assert [tokens(log[request.id]) for request in requests] == alone
    assert tokens(log[late.id]) == expected


def test_an_answer_comes_token_by_token_and_stops_within_one(engine: FallbackEngine) -> None:
    log = Log(list)
    leaver, stayer = asked(SHORT, logprobs=0), asked((Turn("user", (FIRST, "What is that?")),), logprobs=0)
    [alone] = answers(engine, stayer)
    for request in (leaver, again := asked(stayer.turns, logprobs=0)):
        engine.add(request, log[request.id].append)
    for _ in range(NEW // 2):
        engine.step()
    assert [len(tokens(log[request.id])) for request in (leaver, again)] == [NEW // 2] * 2
    engine.abort(leaver.id)
    while engine.step():
        pass
    assert len(tokens(log[leaver.id])) == NEW // 2
    assert tokens(log[again.id]) == tokens(alone)


def test_a_run_that_all_have_left_is_gone_at_once(engine: FallbackEngine) -> None:
    for request in (asked(SHORT), asked(SHORT, 3)):
        engine.add(request, lambda event: None)
        engine.step()
        assert len(engine.runs) == 1
        engine.abort(request.id)
        assert not engine.runs
        assert not engine.step()
        assert torch.is_grad_enabled()  # what `generate` switches off in this thread is on again


def test_settings_mean_what_they_mean_to_our_own_engine(engine: FallbackEngine) -> None:
    """Several answers, a seed, a stop string, a limit, a barred token, log-probabilities."""
    warm = Generation(temperature=1.0, max_tokens=NEW)
    [first], [second] = (answers(engine, asked(SHORT, generation=warm, seed=7, n=2, logprobs=0)) for _ in range(2))
    assert tokens(first) == tokens(second)
    assert text(first, 0) != text(first, 1)
    beamed = warm.model_copy(update={"num_beams": 3})
    assert len({text(answers(engine, asked(SHORT, generation=beamed, seed=3))[0]) for _ in range(2)}) == 1
    [plain] = answers(engine, asked(SHORT, logprobs=2))
    told = [scored for event in plain if isinstance(event, TextDelta) for scored in event.logprobs]
    assert [len(scored.top) for scored in told] == [2] * NEW
    assert all(scored.text == scored.top[0].text for scored in told)
    wanted = tuple((token, 100.0) for token in engine.model.tokenizer.encode("Q"))
    for beams in (1, 3):
        [stopped] = answers(engine, asked(SHORT, beams, logit_bias=wanted, stop=("QQQ",), min_tokens=0))
        assert (text(stopped), stopped[-2], stopped[-1]) == ("", ChoiceFinished(0, "stop"), replace(done(plain), completion_tokens=3))
        [limited] = answers(engine, asked(SHORT, beams, logit_bias=wanted))
        assert (text(limited), limited[-2]) == ("Q" * NEW, ChoiceFinished(0, "length"))


def done(events: list[Event | EngineError]) -> Done:
    assert isinstance(events[-1], Done)
    return events[-1]


def test_what_can_never_be_answered_is_refused_and_others_go_on(engine: FallbackEngine) -> None:
    long, many = asked((Turn("user", ("word " * 4000,)),)), asked(SHORT, n=5)
    with pytest.raises(ContextError, match="maximum context length is 2048"):
        engine.preprocessor.prepare(long)
    log = Log(list)
    for request in (long, many, good := asked(CONVERSATIONS["words only"])):
        engine.add(request, log[request.id].append)
    while engine.step():
        pass
    assert [type(log[request.id][-1]) for request in (long, many, good)] == [ContextError, ContextError, Done]
    with pytest.raises(RequestError, match="only a user can show one"):
        engine.preprocessor.prepare(asked((Turn("assistant", (FIRST,)),)))


def test_the_oldest_words_go_first(engine: FallbackEngine) -> None:
    chat = (Turn("user", (FIRST, "word " * 250)), Turn("assistant", ("word " * 150,)), Turn("user", ("And now?",)))
    [events] = answers(engine, asked(chat))
    assert isinstance(events[-1], Done)
    assert events[-1].dropped_messages == 2


def test_the_folder_says_what_it_is(repository: Repository) -> None:
    card = read_card(repository.folder)
    assert card.kind == f"{repository.model.config.model_type} (fallback)"
    with pytest.raises(ModelError, match="which transformers computes"):
        load(repository.folder)


def test_more_than_there_is_memory_for_is_refused_before_it_is_loaded(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.fallback.memory.available", lambda device: 1_000_000)
    monkeypatch.setattr("engine.fallback.build.load_fallback", lambda *given: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match=r"and 0\.0 GB of cpu are free"):
        build_fallback(repository.folder, [torch.device("cpu")], EXACT)


def test_what_a_fallback_has_not_is_said(repository: Repository) -> None:
    with pytest.raises(ModelError, match="on one device"):
        build_fallback(repository.folder, [torch.device("cpu")] * 2, EXACT)
    with pytest.raises(ModelError, match="Leave --quantize out"):
        build_fallback(repository.folder, [torch.device("cpu")], replace(EXACT, quantize="int8"))


def test_a_shared_run_holds_one_row_for_each(engine: FallbackEngine) -> None:
    for _ in range(6):
        engine.add(asked(SHORT), lambda event: None)
    engine.step()
    [run] = engine.runs
    assert isinstance(run, SampledRun)
    assert [group.slots for group in run.groups] == [[0], [1], [2], [3]]
    while engine.step():
        assert sum(run.rows for run in engine.runs) <= engine.rows
