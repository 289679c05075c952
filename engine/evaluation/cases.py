"""The parts of a suite: pictures, questions, judges of the answers, and the share of right answers to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from PIL import Image

from engine.evaluation.held_out import HeldOut
from engine.evaluation.judges import Judge

Ask = Callable[[Image.Image | None, Sequence[str]], list[str]]
"""A picture (or none) and the questions of one conversation, in order → the answers, as a chat would give them."""


@dataclass(frozen=True)
class Check:
    """A question and the judge of its answer."""

    question: str
    judge: Judge


@dataclass(frozen=True)
class Case:
    """One conversation about one picture. `about` says in words what the picture is."""

    about: str
    picture: Image.Image | None
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Bar:
    """The share of right answers to reach, not to exceed, or to compare with: what EfficientNet alone gets on the same pictures."""

    kind: Literal["at least", "at most", "EfficientNet's own"]
    share: float = 0.0

    def is_met(self, share: float, baseline: float | None) -> bool:
        if self.kind == "at most":
            return share <= self.share
        return share >= (baseline or 0.0 if self.kind == "EfficientNet's own" else self.share)


@dataclass(frozen=True)
class Suite:
    """`build` yields its cases, lazily, in an order whose every beginning is a fair sample.

    No bar: measured for comparison only.
    """

    name: str
    build: Callable[[HeldOut, Random], Iterable[Case]]
    bar: Bar | None = None
