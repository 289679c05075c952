"""Training questions about numbers of things."""

from __future__ import annotations

from engine.models.pocket.vocabulary import plural
from engine.training.chat import phrases
from engine.training.chat.conversation import ChatState, Exchange, absent
from engine.training.chat.wording import ASKABLE_KINDS, COUNTABLE_KINDS, is_are, matches_kind, one_or_many, phrase


def there_are(count: int, name: str) -> str:
    if count == 0:
        return f"There are no {plural(name, 2)}."
    return f"There {'is' if count == 1 else 'are'} {count} {plural(name, count)}."


def ask_count_all(state: ChatState) -> Exchange | None:
    total = sum(group.count for group in state.facts.groups)
    shapes = all(group.shape for group in state.facts.groups)
    if shapes and state.chance(0.5):
        return Exchange(state.one(phrases.COUNT_SHAPES), there_are(total, "shape"))
    return Exchange(state.one(phrases.COUNT_ALL), there_are(total, "shape" if shapes else "thing"))


def ask_count(state: ChatState) -> Exchange | None:
    group = state.group()
    if group is None:
        return None
    if group.shape:
        if state.chance(0.35) and len(state.facts.groups) > 1:
            name = f"{group.colours[0]} {group.shape}"
            total = group.count
        else:
            name, total = group.shape, sum(other.count for other in state.facts.groups if other.shape == group.shape)
    elif group.sure:
        name = group.guesses[0].name
        total = sum(other.count for other in state.facts.groups if other.sure and other.guesses[0].name == name)
        wider = tuple(kind for kind in ASKABLE_KINDS[:-1] if matches_kind(name, kind))
        if wider and len(state.facts.groups) == 1 and state.chance(0.25):
            name = state.pick(wider)
    elif group.known and len(state.facts.groups) == 1:
        name = state.pick(tuple(guess.name for guess in group.offered))
        answer = f"There {is_are(group)} {group.count} {plural('thing', group.count)} that may be {one_or_many(name, group.count)}."
        return Exchange(state.one(phrases.COUNT, things=plural(name, 2)), answer)
    else:
        return None
    state.focus = group
    return Exchange(state.one(phrases.COUNT, things=plural(name, 2)), there_are(total, name))


def ask_count_kind(state: ChatState) -> Exchange | None:
    """Asks for the number of animals, also where EfficientNet can't tell which animal it is."""
    if len(state.facts.groups) != 1 or state.facts.groups[0].shape:
        return None
    group = state.facts.groups[0]
    kind = "animal" if state.chance(0.5) else state.pick(COUNTABLE_KINDS)
    question = state.one(phrases.COUNT, things=plural(kind, 2))
    if not group.sure:
        return Exchange(question, there_are(group.count, "thing"))
    if matches_kind(group.guesses[0].name, kind):
        return Exchange(question, there_are(group.count, kind))
    return Exchange(question, f"There are no {plural(kind, 2)}. I see {phrase(group)}.")


def ask_count_absent(state: ChatState) -> Exchange | None:
    name = absent(state)
    unsure = any(not group.known for group in state.facts.groups)
    return Exchange(
        state.one(phrases.COUNT, things=plural(name, 2)), f"I see no {plural(name, 2)}, but I'm not sure." if unsure else there_are(0, name)
    )


def ask_are_n(state: ChatState) -> Exchange | None:
    group = state.group()
    if group is None or not (group.shape or group.sure) or len(state.facts.groups) > 2:
        return None
    name = group.shape or group.guesses[0].name
    total = sum(other.count for other in state.facts.groups if (other.shape or (other.sure and other.guesses[0].name)) == name)
    guess = total if state.chance(0.5) else max(2, total + int(state.rng.choice([-2, -1, 1, 2])))
    if total == 1 and guess == 1:
        return None
    right = guess == total
    return Exchange(
        state.one(phrases.ARE_N, n=str(guess), things=plural(name, 2)), f"{'Yes' if right else 'No'}, t{there_are(total, name)[1:]}"
    )
