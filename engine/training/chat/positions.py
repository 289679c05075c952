"""Training questions about where things stand."""

from __future__ import annotations

from engine.models.pocket.scene_facts import Group, where
from engine.training.chat import phrases
from engine.training.chat.appearance import subject_of
from engine.training.chat.conversation import ChatState, Exchange, reference
from engine.training.chat.wording import agreeing, is_are, phrase


def ask_where(state: ChatState) -> Exchange | None:
    group = state.group()
    ref = None if group is None else reference(state, group)
    if group is None or ref is None or " on the " in ref or " at the " in ref or " in the " in ref:
        return None
    state.focus = group
    at = where(group.place) if group.place else "in several places"
    return Exchange(agreeing(state.one(phrases.WHERE, ref=ref), ref, group), f"{subject_of(group, ref)} {at}.")


def ask_at_place(state: ChatState) -> Exchange | None:
    placed = [group for group in state.facts.groups if group.place in phrases.SIDE]
    if len(state.facts.groups) < 2 or not placed:
        return None
    group = placed[int(state.rng.integers(len(placed)))]
    state.focus = group
    return Exchange(state.one(phrases.AT_PLACE, where=state.pick(phrases.SIDE[group.place])), at_answer(group))


def at_answer(group: Group) -> str:
    at = where(group.place)
    if not group.known:
        return f"I'm not sure what is {at}."
    return f"{at[0].upper()}{at[1:]} {is_are(group)} {phrase(group)}."


OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}


def pair(state: ChatState) -> tuple[Group, Group] | None:
    """Two groups at opposite sides of the picture, in random order."""
    for group in state.rng.permutation(len(state.facts.groups)):
        first = state.facts.groups[int(group)]
        for second in state.facts.groups:
            if first.place in OPPOSITE and second.place == OPPOSITE[first.place]:
                return first, second
    return None


def ask_is_beside(state: ChatState) -> Exchange | None:
    two = pair(state)
    if two is None or not all(group.shape or group.sure for group in two):
        return None
    first, second = two
    ref, other = reference(state, first), reference(state, second)
    if (
        ref is None
        or other is None
        or ref in ("it", "they")
        or other in ("it", "they")
        or " the thing " in ref + other
        or " shape " in ref + other
    ):
        return None
    right = state.chance(0.5)
    side = first.place if right else OPPOSITE[first.place]
    state.focus = first
    if state.chance(0.25):
        one, another = (first.place, second.place) if state.chance(0.5) else (second.place, first.place)
        if state.chance(0.5):
            one, another = f"{state.pick(phrases.SIDE[one][:2])}", f"{state.pick(phrases.SIDE[another][:2])}"
        elif state.chance(0.5):
            one, another = state.pick(phrases.BESIDE[one][:2]).removesuffix(" of"), f"{state.pick(phrases.BESIDE[another][:2])} {other}"
        return Exchange(state.one(phrases.SIDE_OF_TWO, ref=ref, one=one, two=another), f"{subject_of(first, ref)} {where(first.place)}.")
    question = state.one(phrases.IS_BESIDE, ref=ref, beside=state.pick(phrases.BESIDE[side]), other=other)
    return Exchange(question, f"{'Yes' if right else 'No'}, {ref} {is_are(first)} {where(first.place)}.")


def ask_what_beside(state: ChatState) -> Exchange | None:
    two = pair(state)
    if two is None or len(state.facts.groups) != 2:
        return None
    first, second = two
    other = reference(state, second)
    if other is None or other in ("it", "they"):
        return None
    state.focus = first
    if state.chance(0.4):
        return Exchange(state.one(phrases.NEXT_TO, other=other), at_answer(first))
    return Exchange(state.one(phrases.WHAT_BESIDE, beside=state.pick(phrases.BESIDE[first.place]), other=other), at_answer(first))
