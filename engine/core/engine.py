"""Many answers at once: requests join and leave at every step, each with its own settings.

    add ─▶ pictures encoded ─▶ waiting ─▶ admitted ─▶ prompt read in chunks ─▶ one token a step ─▶ events

The device is kept a step ahead: a step is started before the host has seen what the step before chose, so that writing text
costs the device no time. That a row has ended is found out one step late; what that step wrote for it is dropped.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from engine.core.beam_group import BeamGroup
from engine.core.engine_base import EngineBase
from engine.core.image_encoding import ImageEncoding
from engine.core.pending_tokens import PendingTokens
from engine.core.preprocessing import Preprocessor
from engine.core.sampler import Sampler
from engine.core.sampling_params import SamplingParams
from engine.core.scheduler import ScheduledChunk, Scheduler, SchedulerOutput
from engine.core.sequences import Emit, SampledGroup, Sequence, SequenceGroup
from engine.device.out_of_memory import with_memory
from engine.errors import ContextError, GenerationError, RequestError
from engine.explain.explanation import explain
from engine.explain.schedule import ExplanationSchedule, Work
from engine.images.embedding_cache import EmbeddingCache
from engine.kernels.decode_step import DecodeStep
from engine.kv_cache.block_pool import BLOCK, BlockPool
from engine.kv_cache.cache import SCRATCH, KVCache
from engine.metrics import Metrics
from engine.models.base import VisionLanguageModel
from engine.prompts.context import Context
from engine.prompts.film import told_frame_by_frame
from engine.prompts.languages import apology
from engine.prompts.recital import recital
from engine.request import AnswerToExplain, ChoiceFinished, Done, Explained, Request, TextDelta
from engine.runner.kv_cache_size import Capacity
from engine.runner.model_runner import ModelRunner
from engine.runner.prompt_graphs import PrefillChunk


class Engine(EngineBase):
    """A model that answers many requests at once, by `add`, `abort` and `step`. Only the thread that owns the device may call these."""

    def __init__(
        self, model: VisionLanguageModel, step: DecodeStep, capacity: Capacity, embeddings: EmbeddingCache, metrics: Metrics | None = None
    ) -> None:
        super().__init__(model.tokenizer, model.card, metrics)
        language = model.language_model
        self.model, self.capacity = model, capacity
        self.preprocessor = Preprocessor(model, embeddings)
        # Before the scheduler, so that a pool too large for the device is refused as such.
        self.runner = ModelRunner(
            language, KVCache(language, capacity.blocks), step, capacity.rows, model.card.context_length, model.tokenizer.eos_ids
        )
        self.scheduler = Scheduler(BlockPool(capacity.blocks, SCRATCH), capacity.rows, capacity.prompt_tokens)
        self._images = ImageEncoding(embeddings, self._fail)
        self._sampler = Sampler(capacity.rows, language.config.vocab_size, model.tokenizer.eos_ids, language.device)
        self.explanations = ExplanationSchedule(language.device)
        self._in_flight: list[PendingTokens] = []  # what the last step asked the device for

    def add(self, request: Request, emit: Emit) -> None:
        """Takes a request. `emit` gets its events during `step`, the last of them `Done` or an EngineError."""
        group = self._open(self.preprocessor.with_looks(request), emit)
        if group.request.explains is None:
            self._images.add(group)
        else:
            self.explanations.add(request.id, self._explaining(group, group.request.explains))

    def abort(self, request_id: str) -> None:
        """Ends a request without another event and frees what it holds. Does nothing once the request has ended."""
        group = self.groups.get(request_id)
        if group is not None:
            self._close(group, "cancelled")

    @torch.inference_mode()
    def forget(self, pictures: abc.Sequence[str]) -> None:
        self.preprocessor.embeddings.forget(pictures)
        self.runner.cache.clear(self.scheduler.pool.forget())

    @torch.inference_mode()
    def step(self) -> bool:
        """Takes every answer one token further; False once nothing is left to do. Raises RuntimeError for a broken device."""
        self._receive()
        in_flight = self._in_flight
        if any(pending.constrain_next for pending in in_flight):
            in_flight = self._process(in_flight)
        schedule = self.scheduler.schedule()
        self._in_flight = self._run(schedule)
        self._process(in_flight)
        self._explain()
        return self._report()

    # Before the schedule: pictures and prompts.

    def _receive(self) -> None:
        """Queues every request whose pictures are encoded: several at once, but one a step while others wait for a token."""
        for group in self._images.encode(1 if self.scheduler.running else self.capacity.pictures):
            for number in range(len(group.request.pictures)):
                self._metrics.picture(hit=number >= group.pictures_encoded)
            said = self._at_once(group.request)
            if said is not None:
                self._say(group, said)
                continue
            try:
                self._queue(group)
            except RequestError as error:
                self._fail(group, error)

    def _queue(self, group: SequenceGroup) -> None:
        """Gives the group its prompt and hands it to the scheduler. Raises RequestError for what can never run here."""
        request, vocabulary = group.request, self.model.language_model.config.vocab_size
        context = self._prompt(group)
        matcher = self.preprocessor.matcher(request)
        if 1 < request.generation.num_beams < request.n:
            beams = request.generation.num_beams
            raise RequestError(f"n = {request.n} choices can't come from {beams} beams: ask for at most as many.", "n")
        unknown = [token for token, _ in request.logit_bias if not 0 <= token < vocabulary]
        if unknown:
            raise RequestError(f"Token {unknown[0]} is none of the {vocabulary} that there are.", "logit_bias")
        group.set_prompt(context, min(request.generation.max_tokens, self.model.card.context_length - len(context)), matcher)
        if not self.scheduler.fits(group):
            raise ContextError(
                f"{group.rows} answers of up to {group.max_tokens} tokens after {len(context)} take more than this engine's memory holds "
                f"at all ({self.capacity.blocks * BLOCK} tokens, {self.capacity.rows} rows). Ask for fewer beams or choices, or a shorter "
                "answer.",
                "max_tokens",
            )
        self.scheduler.add(group)

    def _prompt(self, group: SequenceGroup) -> Context:
        """The group's prompt; sets its adapters. Raises RequestError."""
        adapter, language = group.request.adapter, self.model.language_model
        if adapter and adapter not in language.adapters:
            raise RequestError(f"This engine has no adapter {adapter!r}.", "adapter")
        context = self.preprocessor.context(group.request)
        group.lora = language.lora_scales(adapter, context.has_pictures)
        return context

    def _at_once(self, request: Request) -> str | None:
        """What the card says of a question that the model can't answer by itself; None: it can."""
        card, turns = self.model.card, request.turns
        if (said := recital(card, turns) or apology(card, turns)) is not None:
            return said
        return told_frame_by_frame(card, turns, lambda picture: self.preprocessor.embeddings.encode([picture])[picture.key].words)

    def _say(self, group: SequenceGroup, said: str) -> None:
        """Answers with what the card says of a question that the model can't answer by itself; nothing is computed."""
        self._close(group, "stop")
        for choice in range(group.request.n):
            group.emit(TextDelta(choice, said))
            group.emit(ChoiceFinished(choice, "stop"))
        group.emit(Done(0, group.request.n * len(self.model.tokenizer.encode(said)), 0))

    # The device's part of a step.

    def _run(self, schedule: SchedulerOutput) -> list[PendingTokens]:
        """Starts the device on the step → the tokens that it was asked for."""
        for group in schedule.admitted:
            self._guard(group, partial(self._clear, group))
            self._metrics.prefix(group.reused, len(group.keys))
        first_tokens = self._prefill([chunk for chunk in schedule.chunks if not chunk.group.finished])
        return [*first_tokens, *self._decode(schedule)]

    def _clear(self, group: SequenceGroup) -> None:
        """Clears the group's new blocks of what they held before."""
        self.runner.cache.clear(sorted({block for table in group.tables for block in table[group.reused // BLOCK :]}))

    def _prefill(self, chunks: abc.Sequence[ScheduledChunk]) -> list[PendingTokens]:
        """One pass over pieces of prompts; prompts that are complete then get their first tokens."""
        if not chunks:
            return []
        try:
            logits = with_memory(lambda: self.runner.prefill([self._read(chunk) for chunk in chunks]))
        except GenerationError as error:
            if not self.scheduler.shrink():  # else the next step tries again with fewer tokens
                self._fail(chunks[0].group, error)
            return []
        self.scheduler.recover()
        for chunk in chunks:
            self.scheduler.prefilled(chunk)
        return self._start([(chunk.group, row) for chunk, row in zip(chunks, logits, strict=True) if chunk.group.prefilled])

    def _read(self, chunk: ScheduledChunk) -> PrefillChunk:
        """A scheduled piece of a prompt with its embeddings, which are made for no more than that: a picture's may be many."""
        group = chunk.group
        if group.context is None:
            raise ValueError("a request without a prompt was admitted")
        inputs = self.preprocessor.contexts.inputs(group.context, chunk.start, chunk.end)
        return PrefillChunk(inputs, group.tables[0], chunk.start, group.lora)

    def _start(self, complete: abc.Sequence[tuple[SequenceGroup, Tensor]]) -> list[PendingTokens]:
        """First tokens of groups whose prompts are in the cache, each from the logits [vocabulary] after its prompt."""
        sequences: list[Sequence] = []
        scores: list[Tensor] = []
        for group, logits in complete:
            if not self._guard(group, partial(self._bind, group)):
                continue
            if isinstance(group, BeamGroup):
                self._search(group, logits.expand(group.rows, -1))
            elif isinstance(group, SampledGroup):
                sequences += group.sequences
                scores += [logits] * group.rows
        return self._sample(torch.stack(scores), sequences) if sequences else []

    def _bind(self, group: SequenceGroup) -> None:
        """Lets the group's rows go on from its prompt: sampled rows each get a copy of the prompt's last, partly filled block."""
        for slot in group.slots:
            self._sampler.begin(slot)
        tables = group.tables
        if isinstance(group, BeamGroup):  # beams share that block until they differ
            tables = group.bind()
        elif len(group.keys) % BLOCK:
            last = group.full_blocks
            self.runner.cache.copy([(group.tables[0][last], table[last]) for table in group.tables[1:]])
        offset = group.context.position_offset if group.context else 0
        min_tokens = 0 if isinstance(group, BeamGroup) else group.request.min_tokens  # a search bars ends itself
        self.runner.bind(group.slots, tables, len(group.keys), group.lora, offset, min_tokens)

    def _decode(self, schedule: SchedulerOutput) -> list[PendingTokens]:
        """One token for every scheduled row. Rows whose prompt could not be read, for want of memory, are left out."""
        sequences = [each for each in schedule.sequences if each.group.started and not each.group.finished]
        searches = [group for group in schedule.searches if group.started and not group.finished]
        slots = [sequence.slot for sequence in sequences] + [slot for group in searches for slot in group.slots]
        self._metrics.batch(len(slots))
        if not slots:
            return []
        longest = max([sequence.length for sequence in sequences] + [group.length for group in searches])
        try:
            logits, likeliest = with_memory(lambda: self.runner.decode(slots, longest))
        except GenerationError as error:
            self._fail(([sequence.group for sequence in sequences] + [*searches])[-1], error)
            return []
        pending = self._choose_next(logits[: len(sequences)], likeliest, sequences) if sequences else []
        at = len(sequences)
        for group in searches:
            self._search(group, logits[at : at + group.rows])
            at += group.rows
        return pending

    def _choose_next(self, logits: Tensor, likeliest: Tensor | None, sequences: abc.Sequence[Sequence]) -> list[PendingTokens]:
        """The tokens that the step itself chose, if all sequences go by them; else samples."""
        if likeliest is None or not all(sequence.group.takes_likeliest for sequence in sequences):
            return self._sample(logits, sequences)
        for sequence in sequences:
            sequence.launch()
        return [PendingTokens(sequences, likeliest[: len(sequences)], logits)]

    def _sample(self, logits: Tensor, sequences: abc.Sequence[Sequence]) -> list[PendingTokens]:
        """Chooses the sequences' next tokens on the device, which goes on with them before the host has seen them."""
        params = [sequence.next_params() for sequence in sequences]
        try:
            scores, tokens = with_memory(lambda: self._choose(logits, params))
        except GenerationError as error:
            for group in dict.fromkeys(sequence.group for sequence in sequences):
                self._fail(group, error)
            return []
        self._sampler.note(tokens, params)
        self.runner.set_last_tokens([each.slot for each in params], tokens)
        return [PendingTokens(sequences, tokens, scores, params)]

    def _choose(self, logits: Tensor, params: abc.Sequence[SamplingParams]) -> tuple[Tensor, Tensor]:
        """Processed scores [rows, vocabulary] and the token ids [rows] that are chosen by them."""
        scores = self._sampler.process(logits, params)
        return scores, self._sampler.choose(scores, params)

    def _search(self, group: BeamGroup, logits: Tensor) -> None:
        """Takes a beam search one token further; `logits` [beams, vocabulary]."""
        for event in group.provisional():  # of the step before, while the device works on this one
            group.emit(event)
        if not self._guard(group, lambda: group.advance(logits, self.runner, self._sampler)):
            return
        self._note_time(group, paced=True)
        if group.done:
            for event in group.answers():
                group.emit(event)
            self._finish(group)

    def _explaining(self, group: SequenceGroup, asked: AnswerToExplain) -> Work:
        """Everything that an explanation takes, in pieces: no answer waits for its pictures either."""
        embeddings = self.preprocessor.embeddings
        for picture in embeddings.missing(group.request.pictures):
            embeddings.encode([picture])
            yield
        group.context = self._prompt(group)
        explained = yield from explain(self.preprocessor.contexts, group.context, group.request.pictures, asked, group.lora)
        return explained

    def _explain(self) -> None:
        """Does a piece of an explanation, if answers can spare the time for one."""
        name = self.explanations.next(busy=self._others_are_answered())
        if name is None:
            return
        group = self.groups[name]
        try:
            explained = with_memory(lambda: self.explanations.advance(name), attempts=1)
        except (GenerationError, RequestError) as error:
            self._fail(group, error)
            return
        if explained is not None:
            self._close(group, "stop")
            group.emit(Explained(explained))
            group.emit(Done(0 if group.context is None else len(group.context), 0, explained.dropped_messages))

    def _others_are_answered(self) -> bool:
        """Whether answers are written to other questions than the one whose explanation is next: its own may wait for a piece."""
        first = self.explanations.first
        if first is None:
            return False
        turns = self.groups[first].request.turns
        return any(group.request.explains is None and group.request.turns != turns for group in self.groups.values())

    # The host's part of a step.

    def _process(self, in_flight: abc.Sequence[PendingTokens]) -> list[PendingTokens]:
        """Waits for the tokens, appends them to their sequences and emits their events → what is in flight then: nothing."""
        for pending in in_flight:
            for sequence, token, logprobs in pending.collect(self.model.tokenizer):
                if not sequence.group.finished:
                    self._note_time(sequence.group, paced=sequence.choice == 0)
                    for event in sequence.append(token, logprobs):
                        sequence.group.emit(event)
            for group in dict.fromkeys(sequence.group for sequence in pending.sequences):
                if group.done and not group.finished:
                    self._finish(group)
        return []

    def _report(self) -> bool:
        """Tells the metrics how many requests wait → whether any request is under way."""
        self._metrics.queued(len(self._images.waiting) + len(self.scheduler.waiting))
        if not self.groups:
            self._metrics.batch(0)
            self._in_flight = []  # nobody waits for it
        return bool(self.groups)

    def _release(self, group: SequenceGroup) -> None:
        """What it wrote stays findable in the cache for its follow-up."""
        self._images.discard(group)
        self.explanations.discard(group.request.id)
        if group.request.explains is None:
            self.scheduler.finish(group)

    def _guard(self, group: SequenceGroup, work: Callable[[], None]) -> bool:
        """Whether there was memory for `work`; if not, this group fails and no other does."""
        try:
            with_memory(work, attempts=1)
        except GenerationError as error:
            self._fail(group, error)
            return False
        return True
