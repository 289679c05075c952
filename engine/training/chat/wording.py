"""The nouns and sentences of training answers: how the pocket model is to say what was found in the picture."""

from __future__ import annotations

from engine.models.pocket.scene_facts import Group, Guess, SceneFacts, Subject, counted, noun, where
from engine.models.pocket.vocabulary import article, kinds, plural

ASKABLE_KINDS = (
    "animal",
    "bird",
    "fish",
    "insect",
    "fruit",
    "vegetable",
    "food",
    "plant",
    "vehicle",
    "building",
    "furniture",
    "instrument",
    "clothes",
)
COUNTABLE_KINDS = ("animal", "bird", "insect", "fruit", "vegetable", "plant", "vehicle", "building", "instrument")
ANIMALS = frozenset({"animal", "bird", "fish", "insect"})
FOODS = frozenset({"food", "fruit", "vegetable"})


def called(group: Group) -> str:
    """A noun for the group without its colour, plural when it counts more than one: "circle", "dogs", "things"."""
    return plural(group.shape or (group.guesses[0].name if group.sure else "thing"), group.count)


def phrase(group: Group) -> str:
    """The group in an answer: "a red circle", "3 dogs", "something that may be a fox", "something I can't name"."""
    if group.shape:
        return noun(group)
    if group.sure:
        return counted(group.guesses[0].name, group.count)
    if group.known:
        many = f"{group.count} things" if group.count > 1 else "something"
        return f"{many} that may be {one_or_many(group.guesses[0].name, group.count)}"
    return "something I can't name" if group.count == 1 else f"{group.count} things I can't name"


def one_or_many(name: str, count: int) -> str:
    return article(name) if count == 1 else plural(name, count)


def is_are(group: Group) -> str:
    return "is" if group.count == 1 else "are"


def it_they(group: Group) -> str:
    return "It is" if group.count == 1 else "They are"


def listed(parts: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


THEY = (("Where's they", "Where are they"), ("of they", "of them"), ("find they", "find them"))


def agreeing(question: str, ref: str, group: Group) -> str:
    """Corrects the verb for a plural: "What colour is the stars?" → "are the stars?", "of they" → "of them"."""
    if group.count > 1:
        capital = ref[0].upper() + ref[1:]
        for verb, many in (("is", "are"), ("Is", "Are"), ("does", "do"), ("Does", "Do")):
            question = question.replace(f"{verb} {ref}", f"{many} {ref}")
        for wrong, right in ((f"{ref} is", f"{ref} are"), (f"{ref} has", f"{ref} have"), (f"{capital} is", f"{capital} are"), *THEY):
            question = question.replace(wrong, right)
    return question


def matches_kind(name: str, kind: str) -> bool:
    actual = kinds().get(name, "thing")
    return actual == kind or (kind == "animal" and actual in ANIMALS) or (kind == "food" and actual in FOODS)


NOT_SURE = "I'm not sure. "
NOT_SURE_WHAT = "I'm not sure what this is."
CANNOT_READ = "I'm not sure what it says. I can't read."
NO_PEOPLE = "I'm not sure. I don't know people."
LIMITS = "I'm not sure. I only know colours, counts, shapes, places and common things."
NOTHING_KNOWN = "I'm not sure. I don't see anything I know."


def on_ground(facts: SceneFacts) -> str:
    return f" The background is {facts.background}." if facts.background else ""


def description(facts: SceneFacts) -> str:
    if facts.subject is Subject.TEXT:
        return f"I see writing, but I'm not sure what it says. I can't read.{on_ground(facts)}"
    if facts.subject is Subject.NOTHING:
        return f"{NOTHING_KNOWN}{on_ground(facts)}"
    if len(facts.groups) == 1 and not facts.groups[0].shape:
        return naming_answer(facts.groups[0]) + colours_told(facts.groups[0]) + on_ground(facts)
    parts = [
        " ".join(part for part in (phrase(group), where(group.place) if len(facts.groups) > 1 else "") if part) for group in facts.groups
    ]
    return f"I see {listed(parts)}.{on_ground(facts)}"


def colours_told(group: Group) -> str:
    return f" {it_they(group)} {' and '.join(group.colours)}." if group.colours else ""


def naming_answer(group: Group) -> str:
    if group.shape:
        return f"I see {noun(group)}."
    if group.sure:
        fine = group.guesses[0].fine if group.count == 1 else ""
        return f"I see {counted(group.guesses[0].name, group.count)}{f', perhaps {article(fine)}' if fine else ''}."
    if group.offered:
        return may_be(group, group.offered)
    return NOT_SURE_WHAT if group.count == 1 else f"I see {group.count} things, but I'm not sure what they are."


def may_be(group: Group, guesses: tuple[Guess, ...]) -> str:
    """A sentence with the two best guesses, as doubtful as the best one's probability demands."""
    names = " or ".join(one_or_many(guess.name, group.count) for guess in guesses[:2])
    hedge = "" if group.known else NOT_SURE
    return f"{hedge}{'It' if group.count == 1 else f'I see {group.count} things. They'} may be {names}."


def facts_instead(facts: SceneFacts) -> str:
    if facts.subject is Subject.TEXT:
        return "I see writing."
    if not facts.groups:
        return "I'm not sure what this is."
    if len(facts.groups) == 1:
        return naming_answer(facts.groups[0])
    return f"I see {listed([phrase(group) for group in facts.groups])}."
