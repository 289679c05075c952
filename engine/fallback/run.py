"""One call of transformers' `generate` that goes on token by token: between two tokens it stands still, and others go on.

`generate` runs to its end once it is called. Here it runs in a greenlet, a second stack in the device's own thread, which its stopping
criterion leaves after each token and which `advance` enters again. Leaving it for good unwinds `generate` and frees its cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from greenlet import greenlet
from torch import BoolTensor, FloatTensor, LongTensor, Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from engine.core import sequences as answers
from engine.core.beam_group import BeamGroup
from engine.core.beam_search import Beam
from engine.core.pending_tokens import PendingTokens
from engine.core.sampler import Sampler
from engine.core.sampling_params import SamplingParams
from engine.core.sequences import SampledGroup, SequenceGroup
from engine.errors import GenerationError
from engine.fallback.model import FallbackModel

SEEDS = 1 << 63  # torch takes no larger one


class GenerationRun(ABC):
    """Answers to one or several requests, a row each. Only the thread that made it may use it."""

    groups: Sequence[SequenceGroup]

    def __init__(self, model: FallbackModel, inputs: dict[str, Any], rows: int) -> None:
        """`inputs` as `FallbackModel.moved` gives them."""
        self.model, self.inputs, self.rows = model, inputs, rows
        self.prompt = inputs["input_ids"].shape[1]  # tokens, padding included
        self.sampler = Sampler(rows, model.vocabulary, model.tokenizer.eos_ids, model.device)
        self._greenlet = greenlet(self.answer)

    @property
    def live(self) -> list[SequenceGroup]:
        """The requests that are not closed."""
        return [group for group in self.groups if not group.finished]

    def advance(self) -> bool:
        """Writes a token of every answer → whether `generate` goes on. Raises GenerationError for what this model can't answer."""
        try:
            self._greenlet.switch()
        except ValueError as error:
            raise GenerationError(f"transformers can't answer this with a model of type {self.model.card.version}: {error}") from None
        return not self._greenlet.dead

    def close(self) -> None:
        """Ends `generate` where it stands."""
        with torch.inference_mode():  # `generate` unwinds its own `no_grad` to what held where it was entered, in a step
            self._greenlet.throw()

    @abstractmethod
    def answer(self) -> None:
        """Calls `generate`, in the greenlet."""

    @abstractmethod
    def process(self, ids: Tensor, scores: Tensor) -> Tensor:
        """What `generate` chooses from: `ids` [rows, tokens] so far, `scores` [rows, vocabulary] of the next token."""

    @abstractmethod
    def ended(self, ids: Tensor) -> list[bool]:
        """Whether each row [rows, tokens] is complete."""

    def generate(self, **settings: Any) -> Tensor:
        """The finished rows [rows, tokens], prompts left out."""
        ends = sorted(self.model.tokenizer.eos_ids)
        config = GenerationConfig(pad_token_id=ends[0] if ends else 0, **settings)
        network: Any = self.model.network
        rows: Tensor = network.generate(
            **self.inputs,
            generation_config=config,
            logits_processor=LogitsProcessorList([Processing(self)]),
            stopping_criteria=StoppingCriteriaList([Pausing(self)]),
        )
        return rows[:, self.prompt :]

    def pause(self) -> None:
        """Back to whoever called `advance`, until the next call."""
        parent = self._greenlet.parent
        if parent is not None:
            parent.switch()


class Processing(LogitsProcessor):
    """`process` of a run, as transformers calls it."""

    def __init__(self, run: GenerationRun) -> None:
        self.run = run

    def __call__(self, input_ids: LongTensor, scores: FloatTensor) -> FloatTensor:
        return self.run.process(input_ids, scores)  # type: ignore[return-value]  # of floats


class Pausing(StoppingCriteria):
    """`ended` of a run, as transformers calls it once a token; leaves the greenlet unless all is written."""

    def __init__(self, run: GenerationRun) -> None:
        self.run = run

    def __call__(self, input_ids: LongTensor, scores: FloatTensor, **kwargs: Any) -> BoolTensor:
        ended = self.run.ended(input_ids)
        if not all(ended):
            self.run.pause()
            ended = self.run.ended(input_ids)  # somebody may have left meanwhile
        return torch.tensor(ended, device=input_ids.device)  # type: ignore[return-value]  # of bools


class SampledRun(GenerationRun):
    """Answers that are sampled, or greedy, each by its own settings: our sampler chooses, and `generate` takes what it chose."""

    groups: Sequence[SampledGroup]

    def __init__(self, model: FallbackModel, groups: Sequence[SampledGroup], inputs: dict[str, Any]) -> None:
        """Several requests for one answer each, or one request for several answers."""
        super().__init__(model, inputs, sum(group.rows for group in groups))
        self.groups = groups
        for group in groups:
            group.slots = [self._next_slot() for _ in range(group.rows)]

    _slots = 0

    def _next_slot(self) -> int:
        self._slots += 1
        return self._slots - 1

    @property
    def sequences(self) -> list[answers.Sequence]:
        """Of every row."""
        return [sequence for group in self.groups for sequence in group.sequences]

    def answer(self) -> None:
        several = self.rows // len(self.groups)
        # With several answers `generate` insists on drawing; what it draws from leaves it no choice.
        self.generate(
            max_new_tokens=max(group.max_tokens for group in self.groups),
            num_return_sequences=several,
            do_sample=several > 1,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
        )

    def process(self, ids: Tensor, scores: Tensor) -> Tensor:
        rows = [at for at, sequence in enumerate(self.sequences) if self.goes_on(sequence)]
        sequences = [self.sequences[at] for at in rows]
        params = [sequence.next_params() for sequence in sequences]
        processed = self.sampler.process(scores[rows], params)
        tokens = self.sampler.choose(processed, params)
        self.sampler.note(tokens, params)
        for sequence, token, logprobs in PendingTokens(sequences, tokens, processed, params).collect(self.model.tokenizer):
            for event in sequence.append(token, logprobs):
                sequence.group.emit(event)
        chosen = torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        chosen[rows] = tokens
        return torch.full_like(scores, -torch.inf).scatter(1, chosen[:, None], 0.0)

    def goes_on(self, sequence: answers.Sequence) -> bool:
        return sequence.reason is None and not sequence.group.finished

    def ended(self, ids: Tensor) -> list[bool]:
        return [not self.goes_on(sequence) for sequence in self.sequences]


class BeamRun(GenerationRun):
    """One request's beams: the search is `generate`'s own."""

    groups: Sequence[BeamGroup]

    def __init__(self, model: FallbackModel, group: BeamGroup, inputs: dict[str, Any]) -> None:
        super().__init__(model, inputs, group.rows)
        self.group, self.groups = group, [group]
        self.random: Tensor | None = None  # the state of its own random numbers, while others draw theirs

    def answer(self) -> None:
        made = self.group.request.generation
        drawn = made.temperature > 0
        rows = self.generate(
            max_new_tokens=self.group.max_tokens,
            num_beams=made.num_beams,
            num_return_sequences=self.group.request.n,
            length_penalty=made.length_penalty,
            early_stopping=made.early_stopping,
            eos_token_id=sorted(self.model.tokenizer.eos_ids) or None,
            do_sample=drawn,
            temperature=made.temperature if drawn else 1.0,
            top_k=made.top_k,
            top_p=made.top_p,
        )
        self.group.search.finished = [Beam(self.written(row), 0.0) for row in rows.tolist()]
        self.group.search.done = True
        for event in self.group.answers():
            self.group.emit(event)

    def written(self, row: list[int]) -> tuple[int, ...]:
        """Up to the first end; behind it is padding."""
        ends = [at for at, token in enumerate(row) if token in self.model.tokenizer.eos_ids]
        return tuple(row[: ends[0] + 1] if ends else row)

    def advance(self) -> bool:
        if self.group.request.generation.temperature == 0:
            return super().advance()
        cards = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(cards):
            torch.manual_seed(self.group.seed % SEEDS)
            if self.random is not None:
                self.set_state(self.random)
            going = super().advance()
            self.random = torch.cuda.get_rng_state(self.model.device) if cards else torch.get_rng_state()
        return going

    def set_state(self, state: Tensor) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.model.device)
        else:
            torch.set_rng_state(state)

    def process(self, ids: Tensor, scores: Tensor) -> Tensor:
        """Shows the best beam, which `generate` holds in its first row, and applies what our settings say."""
        written, request = ids[:, self.prompt :], self.group.request
        if written.shape[1]:
            self.group.search.running = [Beam(tuple(written[0].tolist()), 0.0)]
            for event in self.group.provisional():
                self.group.emit(event)
        barred = written.shape[1] < request.min_tokens
        params = [SamplingParams(row, request.generation, barred, request.logit_bias) for row in range(self.rows)]
        if request.generation.penalises:
            counted = torch.ones_like(written, dtype=torch.int16)
            self.sampler.seen.zero_().scatter_add_(1, written, counted)
        return self.sampler.process(scores, params)

    def ended(self, ids: Tensor) -> list[bool]:
        """By a stop string: ends and lengths are `generate`'s to see."""
        if self.group.finished or not self.group.stops:
            return [self.group.finished] * len(ids)
        return [self.group.ends(tuple(row)) for row in ids[:, self.prompt :].tolist()]
