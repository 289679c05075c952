"""What every engine does with the requests under way, however it computes: takes them, times their tokens, and ends each once."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

from engine.boxes import PLACES
from engine.core.beam_group import BeamGroup
from engine.core.sequences import Emit, SampledGroup, SequenceGroup
from engine.errors import EngineError
from engine.metrics import Ending, Metrics
from engine.models.base import Tokenizer
from engine.models.card import Card
from engine.request import Done, Request


class EngineBase(ABC):
    """The requests of one model with this tokenizer and card."""

    def __init__(self, tokenizer: Tokenizer, card: Card, metrics: Metrics | None) -> None:
        self.groups: dict[str, SequenceGroup] = {}  # every request under way by its id, oldest first
        self._tokenizer, self._card = tokenizer, card
        self._metrics = metrics or Metrics()

    def _open(self, request: Request, emit: Emit) -> SequenceGroup:
        """The group of a new request."""
        searches = request.generation.num_beams > 1 and request.explains is None  # a found answer is read, not searched for anew
        kind = BeamGroup if searches else SampledGroup
        # With a grammar, a template's stop string may be a part of the JSON.
        stops = request.stop if request.schema else (*self._card.template.stop, *request.stop)
        group = self.groups[request.id] = kind(request, emit, self._tokenizer, stops)
        self._metrics.submitted()
        return group

    def _note_time(self, group: SequenceGroup, *, paced: bool = True) -> None:
        """A token was written. Of a group's rows only one is `paced`: its tokens' distances are measured."""
        now = time.monotonic()
        if group.last_token_at is None:
            self._metrics.first_token(now - group.arrived)
        elif paced:
            self._metrics.between_tokens(now - group.last_token_at)
        if paced or group.last_token_at is None:
            group.last_token_at = now

    def _finish(self, group: SequenceGroup) -> None:
        """Ends a request that is answered."""
        self._close(group, group.reason)
        if group.context is not None:
            sight = group.context.sight(self._card, group.request.find) if self._card.architecture in PLACES else None
            group.emit(Done(len(group.context), group.tokens_written, group.context.dropped_messages, sight))

    def _fail(self, group: SequenceGroup, error: EngineError) -> None:
        """Ends one request with an error; the others go on."""
        self._close(group, "failed")
        group.emit(error)

    def _close(self, group: SequenceGroup, reason: Ending) -> None:
        """Ends a request without an event."""
        group.finished = True
        self._metrics.finished(reason)
        self._metrics.tokens(group.tokens_written)
        del self.groups[group.request.id]
        self._release(group)
        group.drop_pixels()

    @abstractmethod
    def forget(self, pictures: Sequence[str]) -> None:
        """Keeps nothing of these pictures (sha256), nor of any prompt that was read, but for the requests under way."""

    @abstractmethod
    def _release(self, group: SequenceGroup) -> None:
        """Gives back what the group holds."""
