"""The two ways an answer comes about: rows that go their own ways, and beams that compete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.api import FinishReason
from engine.core.beam_search import Beam, BeamSearch
from engine.core.detokenizer import REPLACEMENT, Detokenizer
from engine.core.sampler import Sampler, SamplingParams, stream_key
from engine.core.scheduler import Task
from engine.kv_cache.block_tables import Branches
from engine.models.base import Tokenizer
from engine.request import ChoiceFinished, Event, Hypothesis, Provisional, Request, TextDelta, TokenLogprob
from engine.runner.model_runner import Runner


@dataclass(frozen=True)
class Question:
    """What both ways need of a request. `budget` is how many new tokens a row may have."""

    request: Request
    tokenizer: Tokenizer
    stops: Sequence[str]
    budget: int
    seed: int
    after: Sequence[int] = ()  # the last tokens of what the answer goes on with

    def blank(self) -> Detokenizer:
        """An answer that is to be written yet."""
        return Detokenizer(self.tokenizer, self.stops, self.after)

    @property
    def eos_ids(self) -> frozenset[int]:
        return self.tokenizer.eos_ids


class Row:
    """One of the `n` answers to a request. Its next token may be under way on the device before its last one was seen here."""

    def __init__(self, question: Question, choice: int, slot: int) -> None:
        self.question, self.choice, self.slot = question, choice, slot
        self.text = question.blank()
        self.launched = 0  # tokens that the device was asked for
        self.ids: list[int] = []  # tokens that were seen, EOS included
        self.reason: FinishReason | None = None
        self.matcher = question.request.matcher and question.request.matcher.begin()

    @property
    def due(self) -> bool:
        """Whether it takes part in the next step. With a grammar only once its last token was seen, on which the next one depends."""
        known = self.matcher is None or self.launched == len(self.ids)
        return self.reason is None and self.launched < self.question.budget and known

    def sampling_params(self) -> SamplingParams:
        """How its next token is chosen; asked for once a token."""
        request, position = self.question.request, self.launched
        self.launched += 1
        key = stream_key(self.question.seed, (self.choice, position)) if request.generation.temperature > 0 else 0
        if self.matcher is not None:  # which alone says when there may be an end
            return SamplingParams(self.slot, request.generation, bias=request.logit_bias, allowed=self.matcher.allowed(), key=key)
        return SamplingParams(self.slot, request.generation, position < request.min_tokens, request.logit_bias, key=key)

    def see(self, token: int, logprobs: tuple[TokenLogprob, ...] = ()) -> Iterator[Event]:
        """The token that the device chose. What came after the end is not the answer's."""
        if self.reason is not None:
            return
        self.ids.append(token)
        shown, stopped = ("", True) if token in self.question.eos_ids else self.text.push(token)
        stopped = stopped or (self.matcher is not None and self.matcher.accept(token))
        if stopped or len(self.ids) == self.question.budget:
            self.reason = "stop" if stopped else "length"
            shown += self.text.finish()
        if shown or logprobs:
            yield TextDelta(self.choice, shown, logprobs)
        if self.reason:
            yield ChoiceFinished(self.choice, self.reason)


class Rows:
    """The answers of one request that are written token by token."""

    def __init__(self, question: Question, slots: Sequence[int]) -> None:
        self.rows = [Row(question, choice, slot) for choice, slot in enumerate(slots)]

    @property
    def done(self) -> bool:
        return all(row.reason for row in self.rows)

    @property
    def tokens(self) -> int:
        return sum(len(row.ids) for row in self.rows)

    @property
    def reason(self) -> FinishReason:
        """How the first of them ended."""
        return self.rows[0].reason or "length"

    @property
    def kept(self) -> list[list[int]]:
        """Of each row the ids whose keys and values are in the cache: all but the last."""
        return [row.ids[:-1] for row in self.rows]


class Beams:
    """One search over a request's rows, which ends when it can't improve. The text comes once, at the end."""

    kept: Sequence[Sequence[int]] = ()  # what the best one said may lie in blocks that others took since

    def __init__(self, question: Question, task: Task, runner: Runner, sampler: Sampler) -> None:
        self.question, self.task, self.runner, self.sampler = question, task, runner, sampler
        request = question.request
        self.search = BeamSearch(request.generation, self.ends, len(question.eos_ids), question.budget, question.seed, request.beam_tree)
        self.branches = Branches(task.tables, len(task.keys))
        self.shown = ""
        self.letters, self.touching = frozenset("".join(question.stops)), dict[int, bool]()
        self.reach = 4 + max((4 * len(stop) for stop in question.stops), default=0)  # tokens; a character may take four

    @property
    def done(self) -> bool:
        return self.search.done

    @property
    def tokens(self) -> int:
        """Of the answers; of a search that was cut short, its length."""
        return sum(len(beam.ids) for beam in self.best) if self.done else len(self.search.running[0].ids)

    @property
    def best(self) -> list[Beam]:
        """The `n` best; the last of them again where sampling left fewer to tell apart."""
        found = self.search.finished[: self.question.request.n]
        return found + found[-1:] * (self.question.request.n - len(found))

    def choose(self, logits: Tensor) -> None:
        """The next token of every beam, from the rows' `logits` [beams, vocabulary], and whose past it continues."""
        request, slots = self.question.request, self.task.slots
        barred = len(self.search.running[0].ids) < request.min_tokens
        params = [SamplingParams(slot, request.generation, barred, request.logit_bias) for slot in slots]
        parents = self.search.step(self.sampler.process(logits.log_softmax(dim=-1), params))
        if self.search.done:
            return
        before = [list(table) for table in self.branches.tables]
        copies = self.branches.fork(parents)
        moved = self.branches.tables if self.branches.tables != before else None
        tokens = self.runner.continue_rows(slots, [beam.ids[-1] for beam in self.search.running], copies, moved)
        self.sampler.note(tokens, params, parents)
        self.branches.advance()

    def best_so_far(self) -> Iterator[Event]:
        text = self.text(self.search.best()) if self.search.running[0].ids else ""
        if text != self.shown:
            self.shown = text
            yield Provisional(0, text)

    def found(self) -> Iterator[Event]:
        """Once the search is done: its `n` best, whole."""
        request = self.question.request
        tree = tuple(self.tree()) if request.beam_tree else ()
        penalty = request.generation.length_penalty if request.beam_tree else None
        for choice, beam in enumerate(self.best):
            yield TextDelta(choice, self.text(beam))
            yield ChoiceFinished(choice, self.reason_of(beam), tree, penalty)

    def tree(self) -> Iterator[Hypothesis]:
        became = {self.search.ended.get(beam.ids): choice for choice, beam in reversed([*enumerate(self.best)])}
        texts: list[Detokenizer] = []
        for at, node in enumerate(self.search.nodes):
            text = self.question.blank() if node.parent is None else texts[node.parent].fork()
            texts.append(text)
            if node.token not in self.question.eos_ids:
                text.ids.append(node.token)
            yield Hypothesis(text.cut(text.current())[0], node.score, node.parent, node.step, node.rank, became.get(at))

    @property
    def reason(self) -> FinishReason:
        """How the best of them ended."""
        return self.reason_of(self.best[0])

    def reason_of(self, beam: Beam) -> FinishReason:
        return "stop" if self.ends(beam.ids) else "length"

    def ends(self, ids: tuple[int, ...]) -> bool:
        return ids[-1] in self.question.eos_ids or (bool(self.question.stops) and self.stopped(ids))

    def stopped(self, ids: tuple[int, ...]) -> bool:
        """Whether a stop string ends here. Before the last token there was none, so that an end long enough to hold one is enough."""
        if not self.may_stop(ids[-1]):
            return False
        if len(ids) <= self.reach:
            return self.answer(ids)[1]
        end = self.question.tokenizer.decode(ids[-self.reach :]).replace(REPLACEMENT, "")
        return any(stop in end for stop in self.question.stops)

    def may_stop(self, token: int) -> bool:
        """Whether it has a character of a stop string, or part of one. Most have none, which saves reading what is before them."""
        if token not in self.touching:
            text = self.question.tokenizer.decode([token, token])  # the first of two may lose its space
            self.touching[token] = REPLACEMENT in text or not self.letters.isdisjoint(text)
        return self.touching[token]

    def text(self, beam: Beam) -> str:
        return self.answer(beam.ids)[0]

    def answer(self, ids: Sequence[int]) -> tuple[str, bool]:
        question = self.question
        return question.blank().decode([token for token in ids if token not in question.eos_ids])
