"""Asks every question of a suite, counts right answers, and keeps the wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from PIL import Image

from engine.errors import DownloadError
from engine.evaluation.cases import Ask, Bar, Case, Suite
from engine.evaluation.held_out import HeldOut
from engine.evaluation.interval import wilson
from engine.evaluation.judges import loops

SEED = 2026
LOOPS = "answers that loop"

ClassifierBaseline = Callable[[Image.Image], tuple[str, ...]]
"""What EfficientNet alone takes a picture for: its best class, by its exact and its everyday name."""


@dataclass(frozen=True)
class Failure:
    about: str
    question: str
    wanted: str
    answer: str


@dataclass(frozen=True)
class Result:
    """One line of the table. `skipped` says why nothing could be measured."""

    name: str
    right: int = 0
    n: int = 0
    bar: Bar | None = None
    baseline: float | None = None
    failures: tuple[Failure, ...] = ()
    skipped: str = ""

    @property
    def share(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.right, self.n)

    @property
    def is_met(self) -> bool | None:
        """None where there is no bar or nothing was measured."""
        return self.bar.is_met(self.share, self.baseline) if self.bar and self.n else None


@dataclass
class Evaluation:
    """One run over the suites. `limit` is how many conversations of each are used; the same limit chooses the same ones."""

    ask: Ask
    baseline: ClassifierBaseline
    held_out: HeldOut
    limit: int | None = None
    answers: int = 0
    looping: list[Failure] = field(default_factory=list)

    def run(self, suite: Suite) -> Result:
        try:
            cases = list(islice(suite.build(self.held_out, Random(f"{SEED} {suite.name}")), self.limit))  # noqa: S311 (a sample, no secret)
        except DownloadError as error:
            return Result(suite.name, bar=suite.bar, skipped=str(error))
        failures = [failure for case in cases for failure in self.ask_case(case)]
        n = sum(len(case.checks) for case in cases)
        baseline = self.baseline_share(cases) if suite.bar and suite.bar.kind == "EfficientNet's own" else None
        return Result(suite.name, n - len(failures), n, suite.bar, baseline, tuple(failures))

    def ask_case(self, case: Case) -> list[Failure]:
        """Holds one conversation; returns the answers that were wrong."""
        failures = []
        answers = self.ask(case.picture, [check.question for check in case.checks])
        for check, answer in zip(case.checks, answers, strict=True):
            failure = Failure(case.about, check.question, check.judge.wanted, answer)
            self.answers += 1
            if loops(answer):
                self.looping.append(failure)
            if not check.judge.accepts(answer):
                failures.append(failure)
        return failures

    def baseline_share(self, cases: Sequence[Case]) -> float:
        """The share of naming cases that EfficientNet's best class gets right, by the same judges."""
        right = 0
        for case in cases:
            if case.picture is not None:
                names = self.baseline(case.picture)
                right += any(case.checks[0].judge.accepts(name) for name in names)
        return right / len(cases)

    def loop_result(self) -> Result:
        """How many of all answers so far loop; none may."""
        return Result(LOOPS, len(self.looping), self.answers, Bar("at most", 0.0), None, tuple(self.looping))
