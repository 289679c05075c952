"""Many answers at once: requests join and leave at every step, each on its own terms.

    submit ─▶ intake: pictures encoded ─▶ scheduler: waiting ─▶ admitted ─▶ prompt read in chunks ─▶ a token a step

The device is kept a step ahead: the next step starts before the host has seen what this one chose, so that writing
text costs the device no time. A row that ends is found out one step late; what that step wrote for it is dropped.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from engine.core.grammar import Grammars
from engine.core.image_encoding import Intake, Job
from engine.core.pending_tokens import PendingTokens
from engine.core.sampler import Sampler, SamplingParams
from engine.core.scheduler import Chunk, Scheduler, Task
from engine.core.sequences import Beams, Question, Row, Rows
from engine.device.out_of_memory import SHORT_OF_MEMORY, out_of_memory, with_memory
from engine.errors import ContextError, EngineError, GenerationError, RequestError
from engine.images.embedding_cache import EmbeddingCache
from engine.kernels.decode_step import DecodeStep
from engine.kv_cache.block_pool import BLOCK, BlockPool
from engine.kv_cache.cache import SCRATCH, KVCache
from engine.metrics import Ending, Metrics
from engine.models.base import VisionLanguageModel
from engine.prompts.truncation import Context
from engine.request import Done, Event, Request
from engine.runner.memory_plan import Capacity
from engine.runner.model_runner import Runner
from engine.runner.prompt_graphs import Part


@dataclass(eq=False)
class Conversation:
    """A job whose prompt is known: the scheduler has its `task`."""

    job: Job
    context: Context
    task: Task
    embeddings: Tensor | None = None  # of the prompt [tokens, width], from admission until it is read
    writing: Rows | Beams | None = None
    spoke: float | None = None  # when its last token was heard
    over: bool = False


class Engine:
    """A model that answers many. One thread at a time may use it: the one that owns the device. See `engine.core.worker.ServedEngine`."""

    def __init__(
        self, model: VisionLanguageModel, step: DecodeStep, capacity: Capacity, pictures: EmbeddingCache, metrics: Metrics | None = None
    ) -> None:
        self.model, self.capacity, self.metrics = model, capacity, metrics or Metrics()
        self.intake = Intake(model, pictures, self.metrics)
        language = model.language
        self.runner = Runner(language, KVCache(language, capacity.blocks), step, capacity.rows, model.card.context_length)
        self.sampler = Sampler(capacity.rows, language.config.vocab_size, model.tokenizer.eos_ids, language.device)
        self.grammars = Grammars(model.tokenizer, language.config.vocab_size)
        self.scheduler = Scheduler(BlockPool(capacity.blocks, SCRATCH), capacity.rows, capacity.prompt_tokens)
        self.conversations: list[Conversation] = []  # oldest first
        self.launched: list[PendingTokens[Conversation]] = []

    @property
    def rows(self) -> int:
        return self.capacity.rows

    def prepare(self, request: Request) -> Request:
        """See `engine.core.worker.ServedEngine`. Pictures that are known are left alone: nobody will look at them again."""
        request = self.with_matcher(self.intake.contexts.read_ahead(request, self.intake.pictures.encoded))
        new = {picture.sha256: picture.image for picture in request.pictures if picture.sha256 not in self.intake.pictures.encoded}
        return request.with_images(dict(zip(new, self.model.prepare(list(new.values())), strict=True)))

    def with_matcher(self, request: Request) -> Request:
        """Raises RequestError for a schema that can't be kept to."""
        if request.schema is None or request.matcher is not None:
            return request
        return replace(request, matcher=self.grammars.compile(request.schema))

    def submit(self, request: Request, tell: Callable[[Event | EngineError], None], cancelled: Callable[[], bool]) -> None:
        self.intake.jobs.append(Job(request, tell, cancelled))
        self.metrics.submitted()

    @torch.inference_mode()
    def step(self) -> bool:
        """See `engine.core.worker.ServedEngine`. Raises RuntimeError for a broken device."""
        self.drop_cancelled()
        self.take_in()
        self.admit()
        before, self.launched = self.launched, []
        if any(row.matcher is not None for launched in before for _, row in launched.rows):
            self.hear_all(before)  # what a grammar allows next depends on it, so that this step waits for the one before
            before = []
        self.read_prompts()
        self.decode()
        self.hear_all(before)
        self.metrics.queued(len(self.intake.jobs) + len(self.scheduler.waiting))
        if not (self.intake.jobs or self.conversations):
            self.metrics.batch(0)
            return False
        return True

    def drop_cancelled(self) -> None:
        self.intake.drop_cancelled()
        for conversation in self.conversations.copy():
            if conversation.job.cancelled():
                self.close(conversation, "cancelled")

    def take_in(self) -> None:
        """Hands the scheduler what is ready. Pictures are encoded several at once, but one by one while others wait for a token."""
        for job, context in self.intake.prompts(1 if self.scheduler.running else self.capacity.pictures):
            try:
                job.request = self.with_matcher(job.request)
                task = self.task(job.request, context)
            except RequestError as error:
                self.intake.refuse(job, error)
            else:
                self.scheduler.add(task)
                self.conversations.append(Conversation(job, context, task))

    def task(self, request: Request, context: Context) -> Task:
        beams = request.generation.num_beams
        if beams > 1 and request.n > beams:
            raise RequestError(f"n = {request.n} choices can't come from {beams} beams: ask for at most as many.", "n")
        beyond = [token for token, _ in request.logit_bias if not 0 <= token < self.model.language.config.vocab_size]
        if beyond:
            raise RequestError(f"Token {beyond[0]} is none of the {self.model.language.config.vocab_size} that there are.", "logit_bias")
        budget = min(request.generation.max_tokens, self.model.card.context_length - len(context))
        task = Task(context.keys, max(request.n, beams), budget, root="seen" if context.has_pictures else "")
        if not self.scheduler.fits(task):
            raise ContextError(
                f"{task.rows} answers of up to {budget} tokens after {len(context)} take more than this engine's memory holds at all "
                f"({self.capacity.blocks * BLOCK} tokens, {self.rows} rows). Ask for fewer beams or choices, or a shorter answer.",
                "max_tokens",
            )
        return task

    def admit(self) -> None:
        admitted = self.scheduler.admit()
        for conversation in self.conversations:
            if conversation.task in admitted:
                self.guard(conversation, partial(self.embed, conversation))
                self.metrics.prefix(conversation.task.reused, len(conversation.task.keys))

    def embed(self, conversation: Conversation) -> None:
        task = conversation.task
        self.runner.cache.clear(sorted({block for table in task.tables for block in table[task.reused // BLOCK :]}))
        conversation.embeddings = self.intake.contexts.embed(conversation.context)

    def read_prompts(self) -> None:
        """One pass over prompts; those that are read whole get their first token."""
        chunks = self.scheduler.chunks()
        if not chunks:
            return
        conversations = [self.of(chunk.task) for chunk in chunks]
        parts = [part(each, chunk) for each, chunk in zip(conversations, chunks, strict=True)]
        try:
            logits = with_memory(lambda: self.runner.read(parts))
        except GenerationError as error:
            if not self.scheduler.shrink():  # else it is tried again, in the next step
                self.fail(conversations[0], error)
            return
        self.scheduler.recover()
        for chunk in chunks:
            self.scheduler.read(chunk)
        self.begin([(row, each) for row, each in zip(logits, conversations, strict=True) if each.task.prefilled])

    def begin(self, ready: Sequence[tuple[Tensor, Conversation]]) -> None:
        """First tokens, each from its prompt's logits [vocabulary]."""
        rows: list[tuple[Conversation, Row]] = []
        scores: list[Tensor] = []
        for logits, each in ready:
            if not self.guard(each, partial(self.place, each)):
                continue
            if isinstance(each.writing, Beams):
                self.search(each, each.writing, logits.expand(each.task.rows, -1))
            elif each.writing is not None:
                rows += [(each, row) for row in each.writing.rows]
                scores += [logits] * each.task.rows
        if rows:
            self.launch(torch.stack(scores), rows)

    def place(self, conversation: Conversation) -> None:
        """The prompt is read: every row goes on from it, with a copy of what is not whole blocks."""
        task, request = conversation.task, conversation.job.request
        conversation.embeddings = None
        for slot in task.slots:
            self.sampler.begin(slot)
        if len(task.keys) % BLOCK and request.generation.num_beams == 1:  # beams share it until they differ
            self.runner.cache.copy([(task.tables[0][task.shared], table[task.shared]) for table in task.tables[1:]])
        self.runner.place(task.slots, task.tables, len(task.keys), conversation.context.has_pictures)
        seed = secrets.randbits(64) if request.seed is None else request.seed
        stops = request.stop if request.schema else (*self.model.card.template.stop, *request.stop)  # JSON may hold a template's
        question = Question(
            request, self.model.tokenizer, stops, task.max_tokens, seed, conversation.context.after if request.continues else ()
        )
        if request.generation.num_beams > 1:
            conversation.writing = Beams(question, task, self.runner, self.sampler)
        else:
            conversation.writing = Rows(question, task.slots)

    def decode(self) -> None:
        """One token for every row that is due."""
        rows = [(each, row) for each in self.conversations if isinstance(each.writing, Rows) for row in each.writing.rows if row.due]
        beams = [(each, each.writing) for each in self.conversations if isinstance(each.writing, Beams)]
        slots = [row.slot for _, row in rows] + [slot for each, _ in beams for slot in each.task.slots]
        self.metrics.batch(len(slots))
        if not slots:
            return
        kept = [len(each.task.keys) + row.launched - 1 for each, row in rows] + [writing.branches.length - 1 for _, writing in beams]
        try:
            logits = with_memory(lambda: self.runner.decode(slots, max(kept)))
        except GenerationError as error:
            self.fail(([each for each, _ in rows] + [each for each, _ in beams])[-1], error)
            return
        if rows:
            self.launch(logits[: len(rows)], rows)
        at = len(rows)
        for each, writing in beams:
            self.search(each, writing, logits[at : at + each.task.rows])
            at += each.task.rows

    def launch(self, logits: Tensor, rows: Sequence[tuple[Conversation, Row]]) -> None:
        """Chooses the rows' next tokens on the device, which goes on with them before anybody has seen them."""
        params = [row.sampling_params() for _, row in rows]
        try:
            scores, tokens = with_memory(lambda: self.choose(logits, params))
        except GenerationError as error:
            for conversation in dict.fromkeys(conversation for conversation, _ in rows):
                self.fail(conversation, error)
            return
        self.sampler.note(tokens, params)
        self.runner.write([each.slot for each in params], tokens)
        self.launched.append(PendingTokens(rows, params, scores, tokens))

    def choose(self, logits: Tensor, params: Sequence[SamplingParams]) -> tuple[Tensor, Tensor]:
        """Processed scores [rows, vocabulary] and token ids [rows]."""
        scores = self.sampler.process(logits, params)
        return scores, self.sampler.choose(scores, params)

    def hear_all(self, before: Sequence[PendingTokens[Conversation]]) -> None:
        for launched in before:
            self.hear(launched)

    def hear(self, launched: PendingTokens[Conversation]) -> None:
        """Tells what the device chose a step ago."""
        for conversation, row, token, logprobs in launched.read(self.model.tokenizer):
            if not conversation.over:
                self.note_time(conversation, row.choice == 0)
                for event in row.see(token, logprobs):
                    conversation.job.tell(event)
        for conversation in dict.fromkeys(conversation for conversation, _ in launched.rows):
            if conversation.writing is not None and conversation.writing.done and not conversation.over:
                self.finish(conversation, conversation.writing)

    def search(self, conversation: Conversation, writing: Beams, logits: Tensor) -> None:
        """The next token of every beam; `logits` [beams, vocabulary]."""
        for event in writing.best_so_far():  # of the step before, while the device works on this one
            conversation.job.tell(event)
        if not self.guard(conversation, lambda: writing.choose(logits)):
            return
        self.note_time(conversation, paced=True)
        if writing.done:
            for event in writing.found():
                conversation.job.tell(event)
            self.finish(conversation, writing)

    def note_time(self, conversation: Conversation, paced: bool) -> None:
        """A token was written; `paced` for one row of each conversation."""
        now = time.monotonic()
        if conversation.spoke is None:
            self.metrics.first_token(now - conversation.job.arrived)
        elif paced:
            self.metrics.between_tokens(now - conversation.spoke)
        if paced or conversation.spoke is None:
            conversation.spoke = now

    def finish(self, conversation: Conversation, writing: Rows | Beams) -> None:
        self.close(conversation, writing.reason)
        conversation.job.tell(Done(len(conversation.context), writing.tokens, conversation.context.dropped_messages))

    def close(self, conversation: Conversation, reason: Ending) -> None:
        """Gives back what the conversation held; what was written stays findable for its follow-up."""
        conversation.over = True
        self.metrics.finished(reason)
        self.metrics.tokens(conversation.writing.tokens if conversation.writing else 0)
        self.conversations.remove(conversation)
        self.scheduler.finish(conversation.task, conversation.writing.kept if conversation.writing else ())

    def guard(self, conversation: Conversation, work: Callable[[], None]) -> bool:
        """Whether there was memory for `work`; if not, this conversation fails and no other does."""
        try:
            work()
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self.fail(conversation, GenerationError(SHORT_OF_MEMORY))
            return False
        return True

    def fail(self, conversation: Conversation, error: GenerationError) -> None:
        """Memory ran out while working for it, even after it had been asked for less."""
        self.close(conversation, "failed")
        conversation.job.tell(error)

    def of(self, task: Task) -> Conversation:
        return next(each for each in self.conversations if each.task is task)


def part(conversation: Conversation, chunk: Chunk) -> Part:
    if conversation.embeddings is None:
        raise ValueError("a prompt that is not admitted can't be read")
    embeddings = conversation.embeddings[chunk.start : chunk.end]
    return Part(embeddings, chunk.task.tables[0], chunk.start, conversation.context.has_pictures)
