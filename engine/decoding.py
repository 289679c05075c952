"""One request at a time: conversation in, events out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import torch

from engine.answering import Answering
from engine.context import ContextBuilder
from engine.errors import GenerationError, RequestError
from engine.generation import ChoiceFinished, Done, Event, GenerationRequest, TextDelta
from engine.languages import apology
from engine.models.base import VisionLanguageModel
from engine.picture_cache import PictureCache
from engine.pictures import Picture
from engine.runner import Runner


class Decoder:
    """A model that answers. One thread at a time may use it: the one that owns the device. See `generation.Generator`."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model = model
        self.pictures = PictureCache(model)
        self.contexts = ContextBuilder(model)

    def generate(self, request: GenerationRequest, cancelled: Callable[[], bool]) -> Iterator[Event]:
        """Yields events as they come about; ends early, without `Done`, once `cancelled()` says so (asked each step).

        Raises RequestError (ContextError, …) before the first event and GenerationError when the device runs out of memory.
        """
        beams = request.generation.num_beams
        if beams > 1 and request.n > beams:
            raise RequestError(f"n = {request.n} choices can't come from {beams} beams: ask for at most as many.", "n")
        sorry = apology(self.model.card, request.turns)
        try:
            yield from self.answer(request, cancelled) if sorry is None else self.apologise(request, sorry)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise  # a broken device: the worker loads the model afresh
            raise GenerationError("The device ran out of memory for this request: ask for fewer beams or a shorter answer.") from error

    def apologise(self, request: GenerationRequest, sorry: str) -> Iterator[Event]:
        """Nothing is read, nothing computed."""
        for choice in range(request.n):
            yield TextDelta(choice, sorry)
            yield ChoiceFinished(choice, "stop")
        yield Done(0, request.n * len(self.model.tokenizer.encode(sorry)), 0)

    def answer(self, request: GenerationRequest, cancelled: Callable[[], bool]) -> Iterator[Event]:
        """Context, prefill, decode."""
        pictures = [part for turn in request.turns for part in turn.parts if isinstance(part, Picture)]
        context = self.contexts.build(request, self.pictures.encode(pictures))
        budget = min(request.generation.max_tokens, self.model.card.context_length - len(context))
        rows = max(request.n, request.generation.num_beams)
        gate = torch.ones(1, 1, 1, device=self.model.device, dtype=self.model.language.dtype) if context.has_pictures else None
        runner = Runner(self.model.language, rows, len(context) + budget, gate)
        logits = runner.prefill(self.contexts.embed(context), cancelled)
        if logits is None:
            return
        seed = secrets.randbits(64) if request.seed is None else request.seed
        stops = (*self.model.card.template.stop, *request.stop)
        answering = Answering(request, runner, self.model.tokenizer, stops, budget, seed, cancelled)
        written = yield from answering.search(logits) if request.generation.num_beams > 1 else answering.extend(logits)
        if written is not None:
            yield Done(len(context), written, context.dropped_messages)


def out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an error of its own for it; on a CPU torch says it in words alone."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
