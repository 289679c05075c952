"""Composes training conversations about a picture. Every answer follows from the facts about the picture, and from nothing else."""

from __future__ import annotations

from numpy.random import Generator

from engine.models.pocket.scene_facts import SceneFacts, Subject
from engine.training.chat.appearance import ask_background, ask_colour, ask_colour_of_absent, ask_colours_all, ask_shape_of, ask_shapes_all
from engine.training.chat.conversation import Ask, ChatState, Exchange
from engine.training.chat.counting import ask_are_n, ask_count, ask_count_absent, ask_count_all, ask_count_kind
from engine.training.chat.limits import ask_beyond, ask_medium, ask_more, ask_people, ask_read, ask_small_talk, ask_sure
from engine.training.chat.naming import ask_breed, ask_describe, ask_name, ask_name_kind
from engine.training.chat.positions import ask_at_place, ask_is_beside, ask_what_beside, ask_where
from engine.training.chat.yes_no import ask_any_colour, ask_exists, ask_exists_absent, ask_is_colour

COMMON: tuple[tuple[Ask, float], ...] = (
    (ask_describe, 3.0),
    (ask_name, 2.0),
    (ask_exists_absent, 2.2),
    (ask_read, 0.3),
    (ask_people, 0.7),
    (ask_beyond, 0.5),
    (ask_small_talk, 0.25),
)
ASKS: dict[Subject, tuple[tuple[Ask, float], ...]] = {
    Subject.THINGS: (
        *COMMON,
        (ask_name_kind, 1.5),
        (ask_breed, 0.4),
        (ask_colour, 2.5),
        (ask_colour_of_absent, 0.9),
        (ask_colours_all, 0.4),
        (ask_background, 1.3),
        (ask_shape_of, 1.2),
        (ask_shapes_all, 0.5),
        (ask_count_all, 1.5),
        (ask_count, 2.0),
        (ask_count_kind, 1.2),
        (ask_count_absent, 0.5),
        (ask_are_n, 0.6),
        (ask_where, 1.6),
        (ask_at_place, 2.0),
        (ask_is_beside, 2.4),
        (ask_what_beside, 1.2),
        (ask_exists, 2.4),
        (ask_is_colour, 1.0),
        (ask_any_colour, 0.4),
        (ask_sure, 0.3),
        (ask_medium, 0.1),
        (ask_more, 0.3),
    ),
    Subject.PHOTO: (
        *COMMON,
        (ask_name, 1.0),
        (ask_name_kind, 2.0),
        (ask_breed, 0.8),
        (ask_colour, 0.5),
        (ask_exists, 2.4),
        (ask_sure, 0.4),
        (ask_medium, 0.2),
        (ask_more, 0.3),
    ),
    Subject.TEXT: (*COMMON, (ask_background, 0.8), (ask_read, 2.0), (ask_sure, 0.3)),
    Subject.NOTHING: (*COMMON, (ask_background, 0.8), (ask_sure, 0.3)),
}


def talk(rng: Generator, facts: SceneFacts, names: tuple[str, ...], turns: int) -> list[Exchange]:
    """A conversation of `turns` different questions. Questions about absent things take a name from `names`."""
    state = ChatState(rng, facts, names)
    spoken: list[Exchange] = []
    table = ASKS[facts.subject]
    weights = [weight for _, weight in table]
    total = sum(weights)
    for _ in range(60):
        ask = table[int(rng.choice(len(table), p=[w / total for w in weights]))][0]
        turn = ask(state)
        if turn is not None and turn.question.lower() not in state.said:
            state.said.add(turn.question.lower())
            spoken.append(turn)
        if len(spoken) == turns:
            break
    return spoken
