"""Training questions that are answered by yes or no."""

from __future__ import annotations

from engine.models.pocket.scene_facts import noun, where
from engine.models.pocket.vocabulary import COLOURS, article, plural
from engine.training.chat import phrases
from engine.training.chat.appearance import subject_of
from engine.training.chat.conversation import ChatState, Exchange, absent, reference
from engine.training.chat.wording import ASKABLE_KINDS, NOT_SURE, agreeing, facts_instead, matches_kind, may_be, phrase


def ask_exists(state: ChatState) -> Exchange | None:
    group = state.group()
    if group is None or not (group.shape or group.offered):
        return None
    alone = len(state.facts.groups) == 1 and group.count == 1
    guess = None if group.shape else group.offered[int(state.rng.integers(len(group.offered)))]
    name = guess.name if guess else group.shape
    if group.shape and state.chance(0.4):
        name = f"{group.colours[0]} {name}"
    if guess and state.chance(0.2):
        wider = tuple(kind for kind in ASKABLE_KINDS[:-1] if matches_kind(name, kind))
        name = state.pick(wider) if wider else name
    options = phrases.IS_IT if alone and state.chance(0.35) else phrases.EXISTS
    question = state.one(options, thing=article(name))
    if state.chance(0.2):
        question = state.one(phrases.EXISTS_MANY, things=plural(name, 2))
    state.focus = group
    if guess and not group.sure:
        hedge = "" if group.known else ", but I am not sure"
        return Exchange(question, f"Yes, perhaps{hedge}. {may_be(group, (guess,)).removeprefix(NOT_SURE)}")
    at = f" {where(group.place)}" if group.place and len(state.facts.groups) > 1 else ""
    return Exchange(question, f"Yes, I see {phrase(group)}{at}.")


def ask_exists_absent(state: ChatState) -> Exchange | None:
    name = absent(state)
    shapes = [group for group in state.facts.groups if group.shape]
    if shapes and state.chance(0.4):
        group = shapes[int(state.rng.integers(len(shapes)))]
        colour = state.pick(tuple(c for c in COLOURS if all(c not in other.colours for other in state.facts.groups)))
        name = f"{colour} {group.shape}"
    elif state.chance(0.2):
        offered = [guess.name for group in state.facts.groups for guess in group.guesses]
        name = state.pick(ASKABLE_KINDS[:-1])
        if any(matches_kind(other, name) for other in offered):
            return None
    alone = len(state.facts.groups) == 1 and state.facts.groups[0].count == 1
    options = phrases.IS_IT if alone and state.chance(0.35) else phrases.EXISTS
    question = state.one(options, thing=article(name))
    if state.chance(0.2):
        question = state.one(phrases.EXISTS_MANY, things=plural(name, 2))
    if any(not group.known for group in state.facts.groups) or not state.facts.groups:
        return Exchange(question, f"No, I don't see {article(name)}, but I'm not sure.")
    return Exchange(question, f"No, I don't see {article(name)}. {facts_instead(state.facts)}")


def ask_is_colour(state: ChatState) -> Exchange | None:
    group = state.group()
    ref = None if group is None else reference(state, group)
    if group is None or ref is None or not group.colours:
        return None
    right = state.chance(0.5)
    colour = state.pick(group.colours) if right else state.pick(tuple(c for c in COLOURS if c not in group.colours))
    state.focus = group
    told = f"{subject_of(group, ref)} {' and '.join(group.colours)}."
    return Exchange(
        agreeing(state.one(phrases.IS_COLOUR, ref=ref, colour=colour), ref, group),
        f"{'Yes' if right else 'No'}, {told[0].lower()}{told[1:]}",
    )


def ask_any_colour(state: ChatState) -> Exchange | None:
    shapes = state.facts.groups
    if not shapes or not all(group.shape for group in shapes):
        return None
    right = state.chance(0.5)
    present = tuple(group.colours[0] for group in shapes)
    colour = state.pick(present) if right else state.pick(tuple(c for c in COLOURS if c not in present and c != state.facts.background))
    match = next((group for group in shapes if group.colours[0] == colour), None)
    answer = f"Yes, I see {noun(match)}." if match else f"No, I don't see anything {colour}."
    return Exchange(state.one(phrases.ANY_COLOUR, colour=colour), answer)
