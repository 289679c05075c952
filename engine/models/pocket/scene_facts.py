"""What was found in a picture, as facts and as the words that the language model reads. No torch.

Training writes the same facts from pictures whose truth it knows, so that the language model learns to read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise

from engine.api import NamedBox
from engine.models.pocket.vocabulary import article, plural

SURE = 0.5  # from here a name is spoken plainly
MENTIONED = 5  # guesses that the words tell
MAYBE = 0.2  # from here it is offered as a guess
PERHAPS = 0.03  # from here it is mentioned, but with "I'm not sure"; below, it has no name at all

SECOND_COLOUR = 0.3  # share from which a thing's second colour is worth saying


class Subject(Enum):
    """What a picture is of."""

    THINGS = "things"
    PHOTO = "photo"  # one subject, and neither count nor layout to be trusted
    TEXT = "text"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Guess:
    """A name with its probability, and the breed or make where it is sure enough."""

    name: str
    probability: float
    fine: str = ""


@dataclass(frozen=True)
class Group:
    """Things of one kind: a plain shape, or something with guesses at its name, most probable first."""

    count: int
    shape: str = ""
    guesses: tuple[Guess, ...] = ()
    colours: tuple[str, ...] = ()  # most first
    place: str = ""  # "left", "top right", "middle" …; "" when the group is spread out

    @property
    def sure(self) -> bool:
        return bool(self.guesses) and self.guesses[0].probability >= SURE

    @property
    def known(self) -> bool:
        return bool(self.shape) or (bool(self.guesses) and self.guesses[0].probability >= MAYBE)

    @property
    def offered(self) -> tuple[Guess, ...]:
        """The guesses that the words mention."""
        return self.guesses[:1] if self.sure else tuple(guess for guess in self.guesses[:MENTIONED] if guess.probability >= PERHAPS)


@dataclass(frozen=True)
class SceneFacts:
    """Everything about one picture. `background` is a colour's name, or "" when it has no one colour."""

    subject: Subject
    groups: tuple[Group, ...] = ()
    background: str = ""
    boxes: tuple[NamedBox, ...] = field(default=(), compare=False)  # of each thing that was found by itself


def words(facts: SceneFacts) -> str:
    """One line for the language model, e.g. `[2 shapes: a red circle on the left, a blue square on the right. Background: white.]`"""
    ground = f" Background: {facts.background}." if facts.background else ""
    if facts.subject is Subject.TEXT:
        return f"[Writing, unreadable.{ground}]"
    if facts.subject is Subject.NOTHING or not facts.groups:
        return f"[Nothing known.{ground}]"
    if facts.subject is Subject.PHOTO:
        return f"[Photo: {naming(facts.groups[0])}.]"
    return f"[{heading(facts)}: {', '.join(entry(group) for group in facts.groups)}.{ground}]"


def heading(facts: SceneFacts) -> str:
    count = sum(group.count for group in facts.groups)
    return f"{count} {plural('shape' if all(group.shape for group in facts.groups) else 'thing', count)}"


def entry(group: Group) -> str:
    """ "3 red circles", "maybe a fox 31% or dog 22%, orange and white, on the left"."""
    if group.shape:
        return " ".join(part for part in (noun(group), where(group.place)) if part)
    colours = " and ".join(group.colours)
    return ", ".join(part for part in (naming(group), colours, where(group.place)) if part)


def named_box(group: Group, box: Box) -> NamedBox:
    """A thing's box, called by its colour and its shape or likeliest name; a bare colour where it has none."""
    called = group.shape or (group.guesses[0].name if group.known else "")
    x, y, width, height = box
    edges = (min(max(edge, 0.0), 1.0) for edge in (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    left, top, right, bottom = (round(edge, 4) for edge in edges)
    return NamedBox(name=" ".join((*group.colours[:1], called)).strip(), left=left, top=top, right=right, bottom=bottom)


def noun(group: Group) -> str:
    """A plain shape with its count and colour: "a red circle", "3 blue stars"."""
    colour = group.colours[0]
    return article(f"{colour} {group.shape}") if group.count == 1 else f"{group.count} {colour} {plural(group.shape, group.count)}"


def counted(name: str, count: int) -> str:
    return article(name) if count == 1 else f"{count} {plural(name, count)}"


def naming(group: Group) -> str:
    """The name, with its probability or how unsure it is."""
    if not group.offered:
        return counted("unknown thing", group.count)
    if group.sure:
        best = group.guesses[0]
        fine = f", {best.fine}" if best.fine and group.count == 1 else ""
        return f"{counted(best.name, group.count)} {best.probability:.0%}{fine}"
    first, *others = group.offered
    rest = "".join(f" or {guess.name} {guess.probability:.0%}" for guess in others)
    hedge = "maybe" if group.known else f"{counted('unknown thing', group.count)}, perhaps"
    return f"{hedge} {counted(first.name, group.count)} {first.probability:.0%}{rest}"


def where(place: str) -> str:
    """ "left" → "on the left"."""
    return {"": "", "middle": "in the middle", "left": "on the left", "right": "on the right"}.get(place, f"at the {place}")


Box = tuple[float, float, float, float]
"""Centre x, y, width, height, in parts of the picture's sides."""


def places(boxes: list[Box]) -> list[str]:
    """Where each of several things stands: along the line they form, or in the picture when they form none."""
    if len(boxes) == 1:
        return [_cell(boxes[0])]
    along_x, along_y = _spread(boxes, 0), _spread(boxes, 1)
    names = {2: ("{0}", "{1}"), 3: ("{0}", "middle", "{1}")}.get(len(boxes))
    axis = 0 if along_x >= along_y else 1
    if names is None or (len(boxes) == 3 and not _in_line(boxes, axis)):
        return [_cell(box) for box in boxes]
    ends = ("left", "right") if axis == 0 else ("top", "bottom")
    order = sorted(range(len(boxes)), key=lambda i: boxes[i][axis])
    placed = [""] * len(boxes)
    for rank, i in enumerate(order):
        placed[i] = names[rank].format(*ends)
    return placed


def reading_order(boxes: list[Box]) -> list[int]:
    """Left to right when they spread more across than down, else top to bottom."""
    axis = 0 if _spread(boxes, 0) >= _spread(boxes, 1) else 1
    return sorted(range(len(boxes)), key=lambda i: boxes[i][axis])


def _spread(boxes: list[Box], axis: int) -> float:
    return max(box[axis] for box in boxes) - min(box[axis] for box in boxes)


def _in_line(boxes: list[Box], axis: int) -> bool:
    ordered = sorted(box[axis] for box in boxes)
    return all(b - a > 0.12 for a, b in pairwise(ordered)) and _spread(boxes, 1 - axis) < 0.6 * _spread(boxes, axis)


def _cell(box: Box) -> str:
    column = "left" if box[0] < 0.4 else "right" if box[0] > 0.6 else ""
    row = "top" if box[1] < 0.4 else "bottom" if box[1] > 0.6 else ""
    return " ".join(part for part in (row, column) if part) or "middle"


def arrange(things: list[tuple[Group, Box]], same: list[int]) -> tuple[Group, ...]:
    """Counts things that are the same (equal numbers in `same`) as one group, in reading order, and says where each group stands."""
    if not things:
        return ()
    members: dict[int, list[int]] = {}
    for i in reading_order([box for _, box in things]):
        members.setdefault(same[i], []).append(i)
    firsts = [indices[0] for indices in members.values()]
    if len(firsts) == len(things):
        stands = dict(zip(firsts, places([things[i][1] for i in firsts]), strict=True))
    else:
        stands = {indices[0]: _cell(things[indices[0]][1]) if len(indices) == 1 else "" for indices in members.values()}
    return tuple(replace(things[i][0], count=len(indices), place=stands[i]) for i, indices in zip(firsts, members.values(), strict=True))
