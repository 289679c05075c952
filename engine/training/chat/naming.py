"""Training questions about what the picture shows, and what a thing in it is."""

from __future__ import annotations

from engine.models.pocket.scene_facts import Subject
from engine.models.pocket.vocabulary import article
from engine.training.chat import phrases
from engine.training.chat.conversation import ChatState, Exchange
from engine.training.chat.wording import (
    ASKABLE_KINDS,
    CANNOT_READ,
    NOTHING_KNOWN,
    description,
    listed,
    matches_kind,
    may_be,
    naming_answer,
    phrase,
)


def ask_describe(state: ChatState) -> Exchange | None:
    if len(state.facts.groups) == 1:
        state.focus = state.facts.groups[0]
    return Exchange(state.one(phrases.DESCRIBE), description(state.facts))


def ask_name(state: ChatState) -> Exchange | None:
    if not state.facts.groups:
        return Exchange(state.one(phrases.NAME), CANNOT_READ if state.facts.subject is Subject.TEXT else NOTHING_KNOWN)
    if len(state.facts.groups) > 1:
        return Exchange(state.one(phrases.NAME), f"I see {listed([phrase(group) for group in state.facts.groups])}.")
    state.focus = state.facts.groups[0]
    return Exchange(state.one(phrases.NAME), naming_answer(state.focus))


def ask_name_kind(state: ChatState) -> Exchange | None:
    group = state.group()
    if group is None or group.shape or len(state.facts.groups) > 1:
        return None
    kinds = tuple(kind for kind in ASKABLE_KINDS if any(matches_kind(guess.name, kind) for guess in group.offered))
    kind = state.pick(kinds) if kinds and state.chance(0.85) else state.pick(ASKABLE_KINDS)
    question = state.one(phrases.NAME_KIND, kind=kind)
    fitting = tuple(guess for guess in group.offered if matches_kind(guess.name, kind))
    if group.sure:
        return Exchange(question, naming_answer(group) if fitting else f"I don't see {article(kind)}. {naming_answer(group)}")
    return Exchange(question, may_be(group, fitting) if fitting else f"I'm not sure which {kind} this is.")


def ask_breed(state: ChatState) -> Exchange | None:
    group = state.group()
    if group is None or not group.sure or group.count > 1 or len(state.facts.groups) > 1:
        return None
    best = group.guesses[0]
    answer = f"Perhaps {article(best.fine)}." if best.fine else f"I'm not sure what kind of {best.name} it is."
    return Exchange(state.one(phrases.BREED, name=best.name), answer)
