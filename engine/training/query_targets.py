"""The training target of each of the Q-Former's queries: the language model's embedding of a fact about the picture.

Matching embeddings needs no language model during training, so the bridge is trained before the language model is.
"""

from __future__ import annotations

from engine.models.pocket.qformer import QUERIES
from engine.models.pocket.scene_facts import Box, places
from engine.models.pocket.vocabulary import COLOURS, MAX_OBJECTS, SHAPES, THING, drawn

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six")
PLACES = ("left", "right", "top", "bottom", "middle", "top left", "top right", "bottom left", "bottom right")
KINDS = ("shapes", "things", "writing", "nothing")
NONE = "none"
TABLE = tuple(dict.fromkeys((NONE, *COLOURS, *SHAPES, THING, *drawn(), *NUMBERS, *PLACES, *KINDS)))
INDEX = {word: i for i, word in enumerate(TABLE)}
USED = 3 * MAX_OBJECTS + 3
FREE = -100  # torch's cross_entropy skips it
TEMPERATURE = 0.07


def query_targets(kind: int, background: int, shapes: list[int], names: list[int], colours: list[int], boxes: list[Box]) -> list[int]:
    """Indices into TABLE for each query: six things' colours, names and places in reading order, then count, ground and kind."""
    what = [SHAPES[shape] if shape >= 0 else drawn()[name] for shape, name in zip(shapes, names, strict=True)]
    rows = [[COLOURS[colour] for colour in colours], what, places(boxes) if boxes else []]
    said = [word for row in rows for word in [*row, *[NONE] * (MAX_OBJECTS - len(row))]]
    said += [NUMBERS[len(boxes)], COLOURS[background] if background >= 0 else NONE, KINDS[kind]]
    return [INDEX[word] for word in said] + [FREE] * (QUERIES - USED)
