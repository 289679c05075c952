"""The scenarios: one stream, many at once, beam search, the vision encoder, and memory over many turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from engine.bench.contender import Contender, UnableError
from engine.bench.workload import Talk, crowd, draw, followed_up, opening

Unit = Literal["tokens/s", "ms", "MB"]
SHARES = 4  # a short run has a quarter of a long run's tokens
PEOPLE, CHAT_TURNS, CHAT_TOKENS = 20, 10, 16  # in `ManyTurns`
# The first picture of each scenario: no picture is used twice, so none is in a cache.
CROWDS, BEAMS, ENCODINGS, CHATS = 10_000, 20_000, 30_000, 40_000


@dataclass(frozen=True)
class Figure:
    """One line of the table. Tokens/s are the sum over `people`, each with `beams` beams; only tokens of the final answer count."""

    name: str
    unit: Unit
    people: int = 1
    beams: int = 1


class Scenario(Protocol):
    """`measure` returns a value for each of `rows`; `number` is the round, 0 for the warm-up."""

    @property
    def rows(self) -> Sequence[Figure]: ...

    @property
    def once(self) -> bool:
        """Whether it is one long run instead of a warm-up and rounds."""
        ...

    def measure(self, contender: Contender, number: int) -> Sequence[float]: ...


@dataclass
class OnePerson:
    """A question about a new picture, then a follow-up about the same."""

    tokens: int
    once: bool = False
    rows: Sequence[Figure] = (
        Figure("1 stream", "tokens/s"),
        Figure("first token, new picture", "ms"),
        Figure("first token, follow-up", "ms"),
    )
    texts: dict[str, list[str]] = field(default_factory=dict)  # answers by contender; the first is the warm-up's

    def measure(self, contender: Contender, number: int) -> Sequence[float]:
        talk = opening(number)
        first = contender.answer(talk, self.tokens)
        then = contender.answer(followed_up(talk, first.text), 1)
        self.texts.setdefault(contender.name, []).append(first.text)
        return first.tokens_per_second, first.first * 1e3, then.first * 1e3


@dataclass
class Crowd:
    """Many people at once. A short run's time is subtracted from a long one's, so that the prompts' work does not count."""

    people: int
    tokens: int
    once: bool = False

    @property
    def rows(self) -> Sequence[Figure]:
        return (Figure(f"{self.people} streams", "tokens/s", self.people),)

    def measure(self, contender: Contender, number: int) -> Sequence[float]:
        talks = crowd(self.people, CROWDS + number)
        return (self.people * rate(lambda tokens: contender.write(talks, tokens), self.tokens),)


@dataclass
class BeamScenario:
    """One person, by beam search; only tokens of the final answer count."""

    beams: int
    tokens: int
    once: bool = False

    @property
    def rows(self) -> Sequence[Figure]:
        return (Figure(f"{self.beams} beams", "tokens/s", beams=self.beams),)

    def measure(self, contender: Contender, number: int) -> Sequence[float]:
        talk = opening(BEAMS + number)
        return (rate(lambda tokens: contender.search(talk, self.beams, tokens), self.tokens),)


@dataclass
class EncodeScenario:
    """Encodes pictures: from prepared ones on the host to embeddings on the device; a server prepares them in other threads."""

    pictures: int
    once: bool = False

    @property
    def rows(self) -> Sequence[Figure]:
        return (Figure("encode a picture" if self.pictures == 1 else f"encode {self.pictures} pictures", "ms"),)

    def measure(self, contender: Contender, number: int) -> Sequence[float]:
        images = [draw(ENCODINGS + self.pictures * number + index).image for index in range(self.pictures)]
        ready = contender.model.prepare(images)
        return (seconds(lambda: contender.encode(ready)) * 1e3,)


@dataclass
class ManyTurns:
    """Many people, who start over with a new picture every few turns: the process's memory early on, and at the end."""

    turns: int
    memory: Callable[[], int]
    once: bool = True

    @property
    def early(self) -> int:
        return self.turns // 10

    @property
    def rows(self) -> Sequence[Figure]:
        return (Figure(f"memory after {self.early:,} turns", "MB"), Figure(f"memory after {self.turns:,} turns", "MB"))

    def measure(self, contender: Contender, number: int) -> Sequence[float]:
        talks: list[Talk] = []
        early = 0
        for turn in range(self.turns // PEOPLE):
            if turn % CHAT_TURNS == 0:
                talks = [opening(CHATS + turn * PEOPLE + person) for person in range(PEOPLE)]
            texts = contender.chat(talks, CHAT_TOKENS)
            talks = [followed_up(talk, text) for talk, text in zip(talks, texts, strict=True)]
            early = early or (self.memory() if (turn + 1) * PEOPLE >= self.early else 0)
        return early / 1e6, self.memory() / 1e6


def rate(write: Callable[[int], None], tokens: int) -> float:
    """Tokens a second of one row. Raises UnableError if other load hides the difference between a long and a short run.

    Both find in their caches what a first, uncounted run left of pictures and prompts: else the first would do that work for both.
    """
    short = max(1, tokens // SHARES)
    write(1)
    more = seconds(lambda: write(tokens)) - seconds(lambda: write(short))
    if more <= 0:
        raise UnableError(f"{tokens} tokens took no longer than {short}: ask for more --tokens")
    return (tokens - short) / more


def seconds(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
