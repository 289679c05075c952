"""A request that is answered by beam search: its rows are beams, which compete and continue each other."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from engine.api import FinishReason
from engine.core.beam_search import Beam, BeamSearch
from engine.core.detokenizer import REPLACEMENT, Detokenizer
from engine.core.sampler import Sampler
from engine.core.sampling_params import SamplingParams
from engine.core.sequences import Emit, SequenceGroup
from engine.kv_cache.block_tables import BeamBlockTables
from engine.models.base import Tokenizer
from engine.request import ChoiceFinished, Event, Hypothesis, Provisional, Request, TextDelta
from engine.runner.model_runner import BeamMoves, ModelRunner

if TYPE_CHECKING:
    from engine.grammar import Matcher
    from engine.prompts.context import Context


class BeamGroup(SequenceGroup):
    """One search over the request's rows, which ends when it can't improve. The answers' text comes at the end, all at once."""

    search: BeamSearch  # from `set_prompt` on
    beam_tables: BeamBlockTables | None = None  # from `bind` on

    def __init__(self, request: Request, emit: Emit, tokenizer: Tokenizer, stops: tuple[str, ...]) -> None:
        super().__init__(request, emit, tokenizer, stops)
        self.shown = ""  # the last provisional text
        self.stop_letters, self.touches_stop = frozenset("".join(stops)), dict[int, bool]()
        self.stop_reach = 4 + max((4 * len(stop) for stop in stops), default=0)  # tokens; a character may take four

    def set_prompt(self, context: Context, max_tokens: int, matcher: Matcher | None = None) -> None:
        super().set_prompt(context, max_tokens, matcher)
        request, ends = self.request, len(self.tokenizer.eos_ids)
        self.search = BeamSearch(request.generation, self.ends, ends, max_tokens, self.seed, request.beam_tree)

    def bind(self) -> list[list[int]]:
        """The prompt is in the first row's blocks: from here on the beams share blocks as far as they agree → their tables."""
        self.beam_tables = BeamBlockTables(self.tables, len(self.keys))
        return self.beam_tables.tables

    @property
    def started(self) -> bool:
        return self.beam_tables is not None

    @property
    def length(self) -> int:
        """Tokens that every row keeps in the cache when the next decode step begins."""
        return len(self.keys) + len(self.search.running[0].ids) - 1

    @property
    def done(self) -> bool:
        return self.context is not None and self.search.done

    @property
    def reason(self) -> FinishReason:
        return self.reason_of(self.best[0])

    @property
    def tokens_written(self) -> int:
        """Tokens of the answers; of a search that was cut short, its length."""
        if self.context is None:
            return 0
        return sum(len(beam.ids) for beam in self.best) if self.done else len(self.search.running[0].ids)

    @property
    def cached_ids(self) -> list[list[int]]:
        """None: what the best beam wrote may lie in blocks that others took over since."""
        return []

    @property
    def best(self) -> list[Beam]:
        """The `n` best finished beams; the last of them again where sampling left fewer different ones."""
        found = self.search.finished[: self.request.n]
        return found + found[-1:] * (self.request.n - len(found))

    def advance(self, logits: Tensor, runner: ModelRunner, sampler: Sampler) -> None:
        """Chooses every beam's next token from `logits` [beams, vocabulary], and which beam each row continues.

        The runner gets the tokens, the blocks to copy and the new tables, unless the search is done.
        """
        if self.beam_tables is None:
            raise ValueError("a search whose prompt is not in the cache can't go on")
        request, slots, search = self.request, self.slots, self.search
        barred = len(search.running[0].ids) < request.min_tokens
        params = [SamplingParams(slot, request.generation, barred, request.logit_bias) for slot in slots]
        kernels, vocabulary = runner.step.beams, logits.shape[-1]
        if kernels is not None and self.by_logits_alone and search.candidates <= vocabulary <= kernels.most_ranked():
            parents = search.take(search.rank_likeliest(kernels.rank(logits, sampler.is_end if barred else None, search.candidates)))
        else:
            parents = search.take(search.rank(sampler.process(logits.log_softmax(dim=-1), params)))
        if search.done:
            return
        copies = self.beam_tables.fork(parents)
        blocks, at = [table[-1] for table in self.beam_tables.tables], len(self.beam_tables.tables[0]) - 1
        tokens = runner.continue_beams(slots, BeamMoves([beam.ids[-1] for beam in self.search.running], parents, blocks, at, copies))
        sampler.note(tokens, params, parents)
        self.beam_tables.advance()

    @property
    def by_logits_alone(self) -> bool:
        """Whether the model's own scores decide, without draws, penalties or biases; ends may be barred."""
        generation = self.request.generation
        return not (generation.temperature > 0 or generation.penalises or self.request.logit_bias)

    def provisional(self) -> Iterator[Event]:
        """The best text so far, if it is another one than was shown last."""
        text = self.text_of(self.search.best()) if self.search.running[0].ids else ""
        if text != self.shown:
            self.shown = text
            yield Provisional(0, text)

    def answers(self) -> Iterator[Event]:
        """Once the search is done: its `n` best, whole."""
        tree = tuple(self.tree()) if self.request.beam_tree else ()
        penalty = self.request.generation.length_penalty if self.request.beam_tree else None
        for choice, beam in enumerate(self.best):
            yield TextDelta(choice, self.text_of(beam))
            yield ChoiceFinished(choice, self.reason_of(beam), tree, penalty)

    def tree(self) -> Iterator[Hypothesis]:
        """Every hypothesis of the search, parents before children."""
        became = {self.search.ended.get(beam.ids): choice for choice, beam in reversed([*enumerate(self.best)])}
        texts: list[Detokenizer] = []
        for at, node in enumerate(self.search.nodes):
            text = self.blank_text() if node.parent is None else texts[node.parent].fork()
            texts.append(text)
            if node.token not in self.tokenizer.eos_ids:
                text.ids.append(node.token)
            yield Hypothesis(text.cut(text.current())[0], node.score, node.parent, node.step, node.rank, became.get(at))

    def reason_of(self, beam: Beam) -> FinishReason:
        return "stop" if self.ends(beam.ids) else "length"

    def ends(self, ids: tuple[int, ...]) -> bool:
        """Whether an answer of these ids is complete: by its last token, or a stop string."""
        return ids[-1] in self.tokenizer.eos_ids or (bool(self.stops) and self.stopped(ids))

    def stopped(self, ids: tuple[int, ...]) -> bool:
        """Whether a stop string is complete with the last of `ids`. Only the end of the text is read: before it there was none."""
        if not self.may_stop(ids[-1]):
            return False
        if len(ids) <= self.stop_reach:
            return self.decode(ids)[1]
        end = self.tokenizer.decode(ids[-self.stop_reach :]).replace(REPLACEMENT, "")
        return any(stop in end for stop in self.stops)

    def may_stop(self, token: int) -> bool:
        """Whether the token has a character of a stop string, or part of one. Most have none, and spare us reading the text."""
        if token not in self.touches_stop:
            text = self.tokenizer.decode([token, token])  # the first of two may lose its space
            self.touches_stop[token] = REPLACEMENT in text or not self.stop_letters.isdisjoint(text)
        return self.touches_stop[token]

    def text_of(self, beam: Beam) -> str:
        return self.decode(beam.ids)[0]

    def decode(self, ids: abc.Sequence[int]) -> tuple[str, bool]:
        """The text of these ids, up to a stop string, and whether there is one."""
        return self.blank_text().decode([token for token in ids if token not in self.tokenizer.eos_ids])

    def blank_text(self) -> Detokenizer:
        """An answer that has no token yet."""
        return Detokenizer(self.tokenizer, self.stops, self.continued, self.thinking)
