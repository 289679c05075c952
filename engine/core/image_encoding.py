"""Requests whose pictures are not all encoded yet: encodes a few pictures each step, several in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.core.sequences import SequenceGroup
from engine.device.out_of_memory import with_memory
from engine.errors import GenerationError
from engine.images.decode import Picture
from engine.images.embedding_cache import EmbeddingCache


class ImageEncoding:
    """Groups that have no prompt yet, in the order they came."""

    def __init__(self, embeddings: EmbeddingCache, fail: Callable[[SequenceGroup, GenerationError], None]) -> None:
        """`fail` is called with a group for whose picture the device has no memory, after it was taken from the queue."""
        self.embeddings, self._fail = embeddings, fail
        self.waiting: list[SequenceGroup] = []

    def add(self, group: SequenceGroup) -> None:
        self.waiting.append(group)

    def discard(self, group: SequenceGroup) -> None:
        """Takes a group from the queue, if it is there."""
        if group in self.waiting:
            self.waiting.remove(group)

    def encode(self, limit: int) -> list[SequenceGroup]:
        """Encodes up to `limit` pictures → the groups whose pictures are all encoded now, which leave the queue."""
        missing = self.embeddings.missing([picture for group in self.waiting for picture in needed(group)])[:limit]
        if missing:
            self._encode(missing)
        ready = [group for group in self.waiting if not self.embeddings.missing(needed(group))]
        for group in ready:
            self.waiting.remove(group)
        return ready

    def _encode(self, pictures: Sequence[Picture]) -> None:
        """All of them, or only the first where memory has no room for more at once."""
        first = [next(group for group in self.waiting if picture in group.request.pictures) for picture in pictures]
        try:
            with_memory(lambda: self.embeddings.encode(pictures))
        except GenerationError as error:
            if len(pictures) > 1:
                self._encode(pictures[:1])
            else:
                self.discard(first[0])
                self._fail(first[0], error)
            return
        for group in first:
            group.pictures_encoded += 1


def needed(group: SequenceGroup) -> Sequence[Picture]:
    """The pictures whose embeddings its prompt waits for: none, if the prompt was built before."""
    return [] if group.request.context else group.request.pictures
