"""Runs contenders in turn in one scenario, so that other load on the machine affects all of them alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.bench.contender import Contender, UnableError
from engine.bench.report import Finding
from engine.bench.roofline import Roofline
from engine.bench.scenarios import Figure, Scenario

WARM_UP = 0  # the number of the round that does not count


@dataclass
class Score:
    """The results of one contender in one scenario: for each round a value for each row; or the reason why there are none."""

    contender: Contender
    rounds: list[Sequence[float]] = field(default_factory=list)
    reason: str = ""


def compete(scenario: Scenario, contenders: Sequence[Contender], rounds: int) -> list[Score]:
    """After a warm-up, each round runs all contenders once; every other round in reverse order."""
    scores = [Score(contender) for contender in contenders]
    numbers = [WARM_UP + 1] if scenario.once else range(WARM_UP, WARM_UP + 1 + rounds)
    for number in numbers:
        for score in scores if number % 2 else reversed(scores):
            if not score.reason:
                play(scenario, score, number)
    return scores


def play(scenario: Scenario, score: Score, number: int) -> None:
    try:
        values = scenario.measure(score.contender, number)
    except UnableError as error:
        score.rounds, score.reason = [], str(error)
    else:
        if number > WARM_UP:
            score.rounds.append(values)


def findings(
    scenario: Scenario, contenders: Sequence[Contender], rounds: int, rooflines: Mapping[str, Roofline], kept: float
) -> Iterator[Finding]:
    """`rooflines` by contender; `kept` is how many tokens of a row are in its cache on average."""
    for score in compete(scenario, contenders, rounds):
        for index, row in enumerate(scenario.rows):
            yield Finding(
                row=row.name,
                unit=row.unit,
                people=row.people,
                beams=row.beams,
                contender=score.contender.name,
                values=tuple(values[index] for values in score.rounds),
                reason=score.reason,
                limit=limit(row, rooflines[score.contender.name], kept),
            )


def limit(row: Figure, roofline: Roofline, kept: float) -> float | None:
    """The tokens a second that memory bandwidth allows; None for figures in other units."""
    return row.people * roofline.steps_per_second(row.people * row.beams, kept) if row.unit == "tokens/s" else None
