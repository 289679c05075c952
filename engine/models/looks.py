"""In which ways one picture can be looked at, for models that know more than one: how closely, and whether it is shown alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from engine.models.detail import Detail

if TYPE_CHECKING:
    from engine.models.base import VisionLanguageModel


@dataclass(frozen=True)
class Look:
    """`detail`: None = as the engine's operator chose. Some models cut a picture into tiles where it is shown `alone`."""

    detail: Detail | None = None
    alone: bool = True

    def __str__(self) -> str:
        """What tells encodings of one picture apart; empty for the usual look."""
        return "-".join([self.detail or "", *(() if self.alone else ("many",))]).strip("-")


USUAL = Look()


@runtime_checkable
class Looking(Protocol):
    """A model that knows more than one look."""

    def settle(self, look: Look) -> Look:
        """What it makes of a wish: within the operator's bounds, without what makes no difference to it."""
        ...

    def at(self, look: Look) -> VisionLanguageModel:
        """The same model and weights, which looks so at pictures; `look` is settled."""
        ...


class HasLook(Protocol):
    """A picture that is to be looked at in a certain way."""

    @property
    def look(self) -> Look: ...


Shown = TypeVar("Shown", bound=HasLook)


def settled(model: VisionLanguageModel, look: Look) -> Look:
    """See `Looking.settle`; other models look at every picture alike."""
    return model.settle(look) if isinstance(model, Looking) else USUAL


def by_look(model: VisionLanguageModel, pictures: Iterable[Shown]) -> Iterator[tuple[VisionLanguageModel, Sequence[Shown]]]:
    """The pictures that are looked at in one way, with the model that does so; each way once."""
    for _, found in groupby(sorted(pictures, key=lambda picture: str(picture.look)), key=lambda picture: picture.look):
        alike = list(found)
        yield model.at(alike[0].look) if isinstance(model, Looking) else model, alike
