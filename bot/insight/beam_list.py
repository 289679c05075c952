"""A beam search as nested lists: the drafts that finished by their rank, then all that was followed to its end."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bot.insight.how import How
from bot.texts import Texts
from engine.api import BeamNode

LEAVES = 24  # of a tree that went on to the end of the search, the longest-lived: more than that nobody reads


def beam_list(how: How, texts: Texts, language: str) -> str:
    """HTML."""
    return f"{finished(how, texts, language)}<p class='small'>{escape(texts.render(language, 'how.tree'))}</p>{tree(how.beams)}"


def finished(how: How, texts: Texts, language: str) -> str:
    ranked = sorted((node for node in how.beams if node.rank is not None), key=lambda node: (-(node.rank or 0.0), node.choice is None))
    if not ranked:
        return f"<p>{escape(texts.render(language, 'how.unranked'))}</p>"
    chosen = f" <strong>★ {escape(texts.render(language, 'how.won'))}</strong>"
    lines = "".join(
        f"<li><q>{escape(node.text.strip() or '∅')}</q> <span class='score'>{node.rank:.3f}</span>{chosen if node.choice == 0 else ''}</li>"
        for node in ranked
    )
    return f"<p class='small'>{escape(texts.render(language, 'how.ranked', penalty=how.length_penalty or 0.0))}</p><ol>{lines}</ol>"


def tree(beams: Sequence[BeamNode]) -> str:
    children = branches(beams)
    won = way_to(beams, next((at for at, node in enumerate(beams) if node.choice == 0), None))

    def item(first: int) -> str:
        """One line for as long as there is only one way on."""
        last = first
        while len(children.get(last, ())) == 1:
            [last] = children[last]
        mark = " class='won'" if last in won else ""
        below = "".join(map(item, children.get(last, ())))
        piece = f"<span{mark}>{escape(added(beams, first, last))} <span class='score'>{beams[last].score:.2f}</span></span>"
        return f"<li>{piece}{f'<ul>{below}</ul>' if below else ''}</li>"

    return f"<ul class='tree'>{''.join(map(item, children.get(None, ())))}</ul>"


def branches(beams: Sequence[BeamNode]) -> dict[int | None, list[int]]:
    """By parent: the nodes on the way to every draft that finished, and to those that lived longest; best first."""
    parents = {node.parent for node in beams}
    leaves = sorted(
        (at for at, node in enumerate(beams) if at not in parents and node.rank is None), key=lambda at: (-beams[at].step, -beams[at].score)
    )
    kept: set[int] = set()
    for at in [*(at for at, node in enumerate(beams) if node.rank is not None), *leaves[:LEAVES]]:
        kept |= way_to(beams, at)
    found: dict[int | None, list[int]] = {}
    for at in sorted(kept, key=lambda at: -beams[at].score):
        found.setdefault(beams[at].parent, []).append(at)
    return found


def way_to(beams: Sequence[BeamNode], at: int | None) -> set[int]:
    way: set[int] = set()
    while at is not None:
        way.add(at)
        at = beams[at].parent
    return way


def added(beams: Sequence[BeamNode], first: int, last: int) -> str:
    """What the nodes from `first` to `last` add to the text before them."""
    parent = beams[first].parent
    before, text = "" if parent is None else beams[parent].text, beams[last].text
    return (text.removeprefix(before)).strip() or "…"
