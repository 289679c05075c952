"""From a request to a prompt: its pictures are encoded, its conversation fitted into the model's window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.device.out_of_memory import with_memory
from engine.errors import EngineError, GenerationError, RequestError
from engine.images.decode import Picture
from engine.images.embedding_cache import EmbeddingCache
from engine.metrics import Metrics
from engine.models.base import VisionLanguageModel
from engine.prompts.languages import apology
from engine.prompts.truncation import Context, ContextBuilder
from engine.request import ChoiceFinished, Done, Event, Request, TextDelta


@dataclass(eq=False)
class Job:
    """One request from its arrival to its last event."""

    request: Request
    tell: Callable[[Event | EngineError], None]
    cancelled: Callable[[], bool]
    arrived: float = field(default_factory=time.monotonic)
    unmet: int = 0  # pictures that had to be encoded for it


class Intake:
    """Jobs that have no prompt yet, in the order they came."""

    def __init__(self, model: VisionLanguageModel, pictures: EmbeddingCache, metrics: Metrics) -> None:
        self.model, self.pictures, self.metrics = model, pictures, metrics
        self.contexts = ContextBuilder(model)
        self.jobs: list[Job] = []

    def drop_cancelled(self) -> None:
        for job in [job for job in self.jobs if job.cancelled()]:
            self.jobs.remove(job)
            self.metrics.finished("cancelled")

    def prompts(self, limit: int) -> Iterator[tuple[Job, Context]]:
        """Encodes up to `limit` pictures, then gives the prompts that are complete. What can't be asked is told here, and gone."""
        missing = self.pictures.missing([picture for job in self.jobs for picture in unread(job)])[:limit]
        if missing:
            self.encode(missing)
        for job in [job for job in self.jobs if not self.pictures.missing(unread(job))]:
            self.jobs.remove(job)
            for number in range(len(job.request.pictures)):
                self.metrics.picture(hit=number >= job.unmet)
            context = self.context(job)
            if context is not None:
                yield job, context

    def encode(self, pictures: Sequence[Picture]) -> None:
        """All of them, or only the first where memory has no room for more at once."""
        first = [next(job for job in self.jobs if picture in job.request.pictures) for picture in pictures]
        try:
            with_memory(lambda: self.pictures.encode(pictures))
        except GenerationError as error:
            if len(pictures) > 1:
                self.encode(pictures[:1])
            else:
                self.jobs.remove(first[0])
                self.refuse(first[0], error)
            return
        for job in first:
            job.unmet += 1

    def context(self, job: Job) -> Context | None:
        """None if the job is dealt with already."""
        sorry = apology(self.model.card, job.request.turns)
        if sorry is not None:
            self.apologise(job, sorry)
            return None
        if job.request.context is not None:
            return job.request.context
        try:
            return self.contexts.build(job.request, self.pictures.encode(job.request.pictures))
        except RequestError as error:
            self.refuse(job, error)
            return None

    def apologise(self, job: Job, sorry: str) -> None:
        """Nothing is read, nothing computed."""
        self.metrics.finished("stop")
        for choice in range(job.request.n):
            job.tell(TextDelta(choice, sorry))
            job.tell(ChoiceFinished(choice, "stop"))
        job.tell(Done(0, job.request.n * len(self.model.tokenizer.encode(sorry)), 0))

    def refuse(self, job: Job, error: EngineError) -> None:
        self.metrics.finished("failed")
        job.tell(error)


def unread(job: Job) -> Sequence[Picture]:
    """The pictures that its context waits for."""
    return [] if job.request.context else job.request.pictures
