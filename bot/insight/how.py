"""What is known of how one answer came about, whoever shows it: the page, one file, one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.api import BeamNode
from engine.explanation import ExplainedAnswer, ExplainedToken, SeenPicture


@dataclass(frozen=True, slots=True)
class How:
    """A question, and how its answer came about. `beams`: the tree of a search, ranked with `length_penalty`; empty without one."""

    question: str
    explained: ExplainedAnswer
    beams: Sequence[BeamNode] = ()
    length_penalty: float | None = None


def whole_look(explained: ExplainedAnswer, picture: int) -> tuple[float, ...]:
    """What all of the answer's words together looked at, on one picture's patches."""
    looks = [token.looked[picture] for token in explained.answer if token.looked]
    return tuple(sum(shares) for shares in zip(*looks, strict=True))


def placed(seen: SeenPicture) -> bool:
    """Whether it is known where on the picture its tokens stand."""
    return seen.rows > 0


def said(token: ExplainedToken) -> str:
    """The token as people read it: with spaces and line ends that can be seen where there is nothing else."""
    return token.text if token.text.strip() else token.text.replace(" ", "␣").replace("\n", "↵") or "∅"
