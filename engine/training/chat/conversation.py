"""The state of a training conversation: what was asked already, what "it" refers to, and how a question names a thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from engine.models.pocket.scene_facts import Group, SceneFacts, where
from engine.models.pocket.vocabulary import SHAPES
from engine.training.chat.wording import called


@dataclass(frozen=True)
class Exchange:
    question: str
    answer: str


Ask = Callable[["ChatState"], Exchange | None]


class ChatState:
    """One conversation so far. `focus` is the group that "it" refers to."""

    def __init__(self, rng: Generator, facts: SceneFacts, names: tuple[str, ...]) -> None:
        self.rng, self.facts, self.names = rng, facts, names
        self.focus: Group | None = facts.groups[0] if len(facts.groups) == 1 else None
        self.said: set[str] = set()

    def one(self, options: tuple[str, ...], **parts: str) -> str:
        text = str(options[int(self.rng.integers(len(options)))]).format(**parts)
        return text[0].upper() + text[1:] if self.rng.random() < 0.9 or not text[0].isalpha() else text

    def group(self) -> Group | None:
        groups = self.facts.groups
        return groups[int(self.rng.integers(len(groups)))] if groups else None

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, options: tuple[str, ...]) -> str:
        return str(options[int(self.rng.integers(len(options)))])


def reference(state: ChatState, group: Group) -> str | None:
    """Words that mean this group alone: its name, colour and name, place, or a pronoun. None if all of them are ambiguous."""
    groups = state.facts.groups
    options = []
    if sum(called(other) == called(group) for other in groups) == 1:
        options += [f"the {called(group)}"] * 3
    if group.shape and len(groups) > 1:
        options += [f"the {group.colours[0]} {called(group)}"] * 2
    if len(groups) > 1 and group.place and all(other.place != group.place for other in groups if other is not group):
        options.append(f"the {'thing' if not group.shape or state.chance(0.5) else 'shape'} {where(group.place)}")
    if len(groups) == 1 and group.shape and group.count == 1:
        options += ["the shape", "this shape", f"this {group.shape}"]
    if len(groups) == 1 and not group.shape and group.count == 1:
        options += ["the thing", "this thing"]
    if state.focus is group and (state.said or len(groups) == 1):
        options += ["it" if group.count == 1 else "they"] * 3
    return state.pick(tuple(options)) if options else None


def absent(state: ChatState) -> str:
    """A shape, or the name of a thing, that is not in the picture."""
    present = {name for group in state.facts.groups for name in (group.shape, *(guess.name for guess in group.guesses)) if name}
    while True:
        shapes = any(group.shape for group in state.facts.groups)
        name = state.pick(SHAPES) if state.chance(0.6 if shapes else 0.15) else state.pick(state.names)
        if name not in present:
            return name
