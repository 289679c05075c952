"""The fallback's engine: many requests by transformers' own `generate`, behind the same worker, queue and settings as our own.

A step takes every run a token further. Requests that wait together and whose prompts are about equally long share a run; who comes
later gets a run of his own, so that nobody waits for another's answer while there are rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.core.beam_group import BeamGroup
from engine.core.engine_base import EngineBase
from engine.core.sequences import Emit, SampledGroup, SequenceGroup
from engine.device.out_of_memory import with_memory
from engine.errors import ContextError, GenerationError, RequestError
from engine.fallback.model import FallbackModel
from engine.fallback.prompts import ProcessedPrompt, PromptProcessor
from engine.fallback.run import BeamRun, GenerationRun, SampledRun
from engine.metrics import Metrics
from engine.request import Request

LEAST_SHARE = 0.75  # of a run's longest prompt that its shortest has: what is less would be mostly padding


class FallbackEngine(EngineBase):
    """Answers by `add`, `abort` and `step`, as `engine.core.engine.Engine` does. Only the thread that owns the device may call these."""

    def __init__(self, model: FallbackModel, rows: int, metrics: Metrics | None = None) -> None:
        """`rows` is how many answers may be written at once, a beam counting as one."""
        super().__init__(model.tokenizer, model.card, metrics)
        self.model, self.rows, self.preprocessor = model, rows, PromptProcessor(model)
        self.runs: list[GenerationRun] = []  # oldest first
        self._new: list[SequenceGroup] = []  # without a prompt yet
        self._waiting: list[SequenceGroup] = []

    def add(self, request: Request, emit: Emit) -> None:
        """Takes a request. `emit` gets its events during `step`, the last of them `Done` or an EngineError."""
        self._new.append(self._open(request, emit))

    def abort(self, request_id: str) -> None:
        """Ends a request without another event; a run that nobody else shares ends with it."""
        group = self.groups.get(request_id)
        if group is None:
            return
        self._close(group, "cancelled")
        for run in [run for run in self.runs if not run.live]:
            self._end(run)

    def forget(self, pictures: Sequence[str]) -> None:
        """Nothing outlasts its request here."""

    @torch.inference_mode()
    def step(self) -> bool:
        """Takes every answer one token further; False once nothing is left to do. Raises RuntimeError for a broken device."""
        new, self._new = self._new, []
        for group in new:
            self._read(group)
        self._admit()
        self._metrics.batch(self._taken)
        for run in list(self.runs):
            self._advance(run)
        self._metrics.queued(len(self._waiting))
        return bool(self.groups)

    @property
    def _taken(self) -> int:
        return sum(run.rows for run in self.runs)

    def _read(self, group: SequenceGroup) -> None:
        """Gives the group its prompt and lets it wait for rows; refuses what can never run here."""
        request = group.request
        if request.explains is not None:
            self._fail(group, RequestError("This model answers by transformers' own `generate`, which can't be explained here."))
            return
        try:
            context = self.preprocessor.prompt(request)
            matcher = self.preprocessor.matcher(request)
            if group.rows > self.rows or 1 < request.generation.num_beams < request.n:
                raise ContextError(
                    f"This model writes {self.rows} answers at once here, and {request.n} of {group.rows} beams or choices were asked for. "
                    "Ask for fewer.",
                    "n",
                )
        except RequestError as error:
            self._fail(group, error)
            return
        group.set_prompt(context, min(request.generation.max_tokens, self.model.card.context_length - len(context)), matcher)
        self._metrics.prefix(0, len(context))
        self._waiting.append(group)

    def _admit(self) -> None:
        """Starts runs while there are rows: one a step while others are written, for reading a picture takes its time."""
        while self._waiting and self._taken + self._waiting[0].rows <= self.rows:
            groups = self._together(self._waiting.pop(0))
            for _ in groups[0].request.pictures:
                self._metrics.picture(hit=False)
            try:
                self.runs.append(with_memory(lambda groups=groups: self._run(groups)))  # type: ignore[misc]  # bound at once
            except GenerationError as error:
                for group in groups:
                    self._fail(group, error)
            if len(self.runs) > 1:
                return

    def _together(self, first: SequenceGroup) -> list[SequenceGroup]:
        """The first, and those of the waiting that can share its run; they leave the queue."""
        groups = [first]
        for group in list(self._waiting):
            if self._taken + len(groups) < self.rows and alike(group, first):
                groups.append(group)
                self._waiting.remove(group)
        return groups

    def _run(self, groups: list[SequenceGroup]) -> GenerationRun:
        prompts = [group.context for group in groups if isinstance(group.context, ProcessedPrompt)]
        inputs = self.model.moved(self.preprocessor.batch(prompts))
        [first, *_] = groups
        if isinstance(first, BeamGroup):
            return BeamRun(self.model, first, inputs)
        return SampledRun(self.model, [group for group in groups if isinstance(group, SampledGroup)], inputs)

    def _advance(self, run: GenerationRun) -> None:
        try:
            going = with_memory(run.advance, attempts=1)
        except GenerationError as error:
            for group in run.live:
                self._fail(group, error)
            self._end(run)
            return
        for group in run.live:
            self._note_time(group)
            if group.done:
                self._finish(group)
        if not (going and run.live):
            self._end(run)

    def _end(self, run: GenerationRun) -> None:
        run.close()
        self.runs.remove(run)

    def _release(self, group: SequenceGroup) -> None:
        self._new = [each for each in self._new if each is not group]
        self._waiting = [each for each in self._waiting if each is not group]


def alike(one: SequenceGroup, other: SequenceGroup) -> bool:
    """Whether two requests can share a run: an answer each without beams, as many pictures, prompts of about the same length."""
    if any(isinstance(group, BeamGroup) or group.rows > 1 for group in (one, other)):
        return False
    shorter, longer = sorted((len(one.keys), len(other.keys)))
    return shorter >= LEAST_SHARE * longer and len(one.request.pictures) == len(other.request.pictures)
