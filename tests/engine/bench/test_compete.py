"""Contenders take turns, and a difference that noise hides is no figure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.bench.compete import compete
from engine.bench.contender import Contender, UnableError
from engine.bench.gander_contender import GanderContender
from engine.bench.scenarios import OnePerson
from tests.engine.tiny import TinyModel


def test_all_take_turns_and_every_other_round_backwards() -> None:
    asked: list[tuple[str, int]] = []

    class Noting(OnePerson):
        def measure(self, contender: Contender, number: int) -> Sequence[float]:
            asked.append((contender.name, number))
            if (contender.name, number) == ("three", 0):
                raise UnableError("not today")
            return (float(number),)

    contenders = [GanderContender(TinyModel(), 1, 300) for _ in range(3)]
    for contender, name in zip(contenders, ("one", "two", "three"), strict=True):
        contender.name = name
    scores = compete(Noting(2), contenders, rounds=2)
    assert asked == [("three", 0), ("two", 0), ("one", 0), ("one", 1), ("two", 1), ("two", 2), ("one", 2)]
    assert [(score.rounds, score.reason) for score in scores] == [([(1.0,), (2.0,)], "")] * 2 + [([], "not today")]
