"""Training questions about colours and shapes."""

from __future__ import annotations

from engine.models.pocket.scene_facts import Group, noun, where
from engine.models.pocket.vocabulary import SHAPES, article, plural
from engine.training.chat import phrases
from engine.training.chat.conversation import ChatState, Exchange, absent, reference
from engine.training.chat.wording import (
    agreeing,
    colours_told,
    facts_instead,
    is_are,
    it_they,
    listed,
    naming_answer,
    on_ground,
    one_or_many,
)


def subject_of(group: Group, ref: str) -> str:
    return it_they(group) if ref in ("it", "they") else f"{ref[0].upper()}{ref[1:]} {is_are(group)}"


def ask_colour(state: ChatState) -> Exchange | None:
    group = state.focus if state.focus is not None and state.chance(0.4) else state.group()
    ref = None if group is None else reference(state, group)
    if group is None or ref is None:
        return None
    state.focus = group
    question = agreeing(state.one(phrases.COLOUR, ref=ref), ref, group)
    if not group.colours:
        return Exchange(question, "I'm not sure. I only know colours in simple pictures.")
    return Exchange(question, f"{subject_of(group, ref)} {' and '.join(group.colours)}.")


def ask_colour_of_absent(state: ChatState) -> Exchange | None:
    """Asks for the colour of something that EfficientNet does not find. The person may know a better name for what is there, so the
    answer says what it was taken for, and its colour."""
    name = absent(state)
    question = state.one(phrases.COLOUR, ref=f"the {name}")
    if len(state.facts.groups) == 1 and not state.facts.groups[0].shape and name not in SHAPES:
        return Exchange(question, f"{naming_answer(state.facts.groups[0])}{colours_told(state.facts.groups[0])}")
    return Exchange(question, f"I don't see {article(name)}. {facts_instead(state.facts)}")


def ask_colours_all(state: ChatState) -> Exchange | None:
    colours = list(dict.fromkeys(colour for group in state.facts.groups for colour in group.colours))
    if not colours:
        return None
    return Exchange(state.one(phrases.COLOURS_ALL), f"I see {listed(colours)}.{on_ground(state.facts)}")


def ask_background(state: ChatState) -> Exchange | None:
    answer = f"The background is {state.facts.background}." if state.facts.background else "I'm not sure. The background has no one colour."
    return Exchange(state.one(phrases.BACKGROUND), answer)


def ask_shape_of(state: ChatState) -> Exchange | None:
    group = state.group()
    if group is None:
        return None
    state.focus = group if len(state.facts.groups) == 1 else state.focus
    by_colour = group.shape and sum(other.colours[:1] == group.colours[:1] for other in state.facts.groups) == 1
    if by_colour and state.chance(0.6):
        state.focus = group
        if state.chance(0.5):
            return Exchange(state.one(phrases.BY_COLOUR, colour=group.colours[0]), f"The {group.colours[0]} one is {article(group.shape)}."
                        if group.count == 1 else f"The {group.colours[0]} ones are {plural(group.shape, 2)}.")  # fmt: skip
        ref = f"the {group.colours[0]} {'one' if group.count == 1 else 'ones'}"
    else:
        options = ["it" if group.count == 1 else "they"] if len(state.facts.groups) == 1 else []
        if group.place and len(state.facts.groups) > 1:
            options.append(f"the one {where(group.place)}")
        if not options:
            return None
        ref = state.pick(tuple(options))
    state.focus = group
    question = agreeing(state.one(phrases.SHAPE_OF, ref=ref), ref, group)
    if not group.shape:
        return Exchange(question, f"It is no plain shape. {naming_answer(group)}")
    return Exchange(question, f"{subject_of(group, ref)} {one_or_many(group.shape, group.count)}.".replace("ones is", "ones are"))


def ask_shapes_all(state: ChatState) -> Exchange | None:
    shapes = [group for group in state.facts.groups if group.shape]
    answer = f"I see {listed([noun(group) for group in shapes])}." if shapes else f"I see no plain shapes. {facts_instead(state.facts)}"
    return Exchange(state.one(phrases.SHAPES_ALL), answer)
