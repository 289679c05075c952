"""The words that the pocket model has for pictures: colours, shapes, places, common names of ImageNet's classes. No torch.

ImageNet knows 120 breeds of dog; people ask for a dog. `imagenet.tsv` gives each of the thousand classes a common name
and what kind of thing that is, `drawn.tsv` the names of things that the training sprites show.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "rectangle", "oval", "hexagon", "cross")
THING = "thing"  # what is no plain shape
COLUMNS = ("left", "middle", "right")
ROWS = ("top", "middle", "bottom")
MAX_OBJECTS = 6

PERSON, TEXT = "person", "text"
UNNAMED = frozenset({PERSON, TEXT})  # kinds that are never named


@dataclass(frozen=True)
class ImageNetClass:
    """One of the thousand: "golden retriever", a "dog", an "animal"."""

    fine: str
    name: str
    kind: str


@cache
def imagenet() -> tuple[ImageNetClass, ...]:
    lines = _lines("imagenet.tsv")
    return tuple(ImageNetClass(*line.split("\t")[1:]) for line in lines)


@cache
def drawn() -> tuple[str, ...]:
    """Names that the classifier of drawn things knows, in the order of its weights; the first is `person`."""
    return tuple(line.split("\t")[0] for line in _lines("drawn.tsv"))


@cache
def kinds() -> dict[str, str]:
    """Name → kind ("animal", "vehicle", "fruit" …; "thing" when none fits)."""
    known = {line.split("\t")[0]: line.split("\t")[1] for line in _lines("drawn.tsv")}
    return {entry.name: entry.kind for entry in imagenet()} | known


def _lines(name: str) -> list[str]:
    return files("engine.models.pocket").joinpath(name).read_text(encoding="utf-8").splitlines()


def article(name: str) -> str:
    """ "an apple", "a dog"; names in the plural or of stuff stand alone."""
    if name in BARE:
        return name
    return f"{'an' if name[0].lower() in 'aeiou' and name not in CONSONANT else 'a'} {name}"


def plural(name: str, count: int) -> str:
    """ "1 fish", "2 fish", "2 boxes", "3 cherries"."""
    if count == 1 or name in BARE or name in UNCHANGED:
        return name
    if name in IRREGULAR:
        return IRREGULAR[name]
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"


CONSONANT = frozenset({"ufo", "unicorn", "unicycle"})
UNCHANGED = frozenset({"fish", "sheep", "deer", "bison", "shrimp", "squid", "moose", "salmon"})
IRREGULAR = {
    "mouse": "mice", "goose": "geese", "wolf": "wolves", "leaf": "leaves", "knife": "knives", "ox": "oxen", "tomato": "tomatoes",
    "potato": "potatoes", "mango": "mangoes", "mosquito": "mosquitoes", "volcano": "volcanoes", "tornado": "tornadoes", "yo yo": "yo yos",
}  # fmt: skip
BARE = frozenset({  # plural or stuff
    "bacon", "ballet shoes", "beer", "binoculars", "blueberries", "books", "bread", "broccoli", "chains", "cheese", "cherries",
    "chopsticks", "clothes", "coffee", "corn", "dessert", "food", "fork and knife", "french fries", "fries", "furniture", "garlic",
    "glasses", "gloves", "grapes", "guacamole", "hay", "headphones", "honey", "jeans", "lettuce", "lightning", "mashed potato",
    "meat", "milk", "pancakes", "paper", "paper towel", "pasta", "peanuts", "popcorn", "rice", "scissors", "shorts", "skis", "soap",
    "socks", "soup", "spaghetti", "stones", "sunglasses", "sushi", "swords", "toilet", "toilet paper", "wine", "yarn",
})  # fmt: skip
