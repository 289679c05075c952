"""Training questions about the model itself, and questions that it must decline to answer."""

from __future__ import annotations

from engine.models.pocket.scene_facts import Subject
from engine.training.chat import phrases
from engine.training.chat.conversation import ChatState, Exchange
from engine.training.chat.wording import CANNOT_READ, LIMITS, NO_PEOPLE, on_ground


def ask_sure(state: ChatState) -> Exchange | None:
    if not state.said:
        return None
    groups = state.facts.groups
    if not groups or any(not group.known for group in groups):
        answer = "No, I'm not sure."
    elif all(group.shape for group in groups):
        answer = "Yes, quite sure."
    else:
        lowest = min(group.guesses[0].probability for group in groups if group.guesses)
        answer = f"{'Quite sure' if all(g.shape or g.sure for g in groups) else 'Not quite'}: {lowest:.0%}."
    return Exchange(state.one(phrases.SURE), answer)


def ask_read(state: ChatState) -> Exchange | None:
    return Exchange(state.one(phrases.READ), CANNOT_READ)


def ask_people(state: ChatState) -> Exchange | None:
    question = state.one(phrases.WHOSE if state.chance(0.3) else phrases.PEOPLE)
    groups = state.facts.groups
    if groups and all(group.shape for group in groups) and question in phrases.PRESENCE:
        return Exchange(question, "No, I only see shapes.")
    return Exchange(question, NO_PEOPLE)


def ask_beyond(state: ChatState) -> Exchange | None:
    return Exchange(state.one(phrases.BEYOND), LIMITS)


def ask_medium(state: ChatState) -> Exchange | None:
    return Exchange(
        state.one(phrases.MEDIUM), "It looks like a photo." if state.facts.subject is Subject.PHOTO else "It looks like a drawing."
    )


def ask_more(state: ChatState) -> Exchange | None:
    return Exchange(state.one(phrases.MORE), f"That is all I see.{on_ground(state.facts)}") if state.said else None


SMALL_TALK = (
    (phrases.THANKS, "You're welcome!"),
    (phrases.WHO, "I'm Gander, a toy that looks at pictures."),
    (phrases.ABLE, "I know colours, counts, shapes, places and common animals and things. I don't know people and I can't read."),
    (phrases.GREET, "Hello! Ask me about the picture."),
)


def ask_small_talk(state: ChatState) -> Exchange | None:
    questions, answer = SMALL_TALK[int(state.rng.integers(len(SMALL_TALK)))]
    return Exchange(state.one(questions), answer)
