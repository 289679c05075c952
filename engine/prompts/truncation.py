"""Drops the oldest messages of a conversation that does not fit into the model's context window. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from engine.images.decode import Picture
from engine.prompts.turn import Turn


def truncate(turns: Sequence[Turn], measure: Callable[[Turn], int], limit: int, target: int) -> tuple[list[Turn], int]:
    """If the turns are longer than `limit` tokens, drops the oldest text until they are at most `target`.

    `measure` gives the tokens of one turn. Returns the turns that are kept and how many messages with text were dropped.
    A question is dropped together with its answer. System messages, pictures and the last question always stay; a dropped
    question's pictures move to the next question. One big cut instead of many small ones: a prompt that loses one message
    each time would never find its prefix in the cache again. Turns are measured from the newest back, and no further than
    the limit, so that an endless conversation takes no longer than one that just fits.
    """
    system = [turn for turn in turns if turn.role == "system"]
    exchanges = exchanges_of([turn for turn in turns if turn.role != "system"])
    older, last = exchanges[:-1], exchanges[-1] if exchanges else []
    spent = sum(map(measure, (*system, *last, *map(pictures_of, chain(*older)))))
    within = 0
    for number, exchange in enumerate(reversed(older)):
        if spent > limit:
            break
        spent += sum(measure(turn) - measure(pictures_of(turn)) for turn in exchange)
        within += within == number and spent <= target
    cut = len(older) - within
    if spent <= limit or not cut:
        return list(turns), 0
    pictures = tuple(part for turn in chain(*exchanges[:cut]) for part in pictures_of(turn).parts)
    first, *rest = chain(*exchanges[cut:])
    dropped = sum(any(isinstance(part, str) for part in turn.parts) for turn in chain(*exchanges[:cut]))
    return [*system, replace(first, parts=pictures + first.parts), *rest], dropped


def pictures_of(turn: Turn) -> Turn:
    """The turn without its text."""
    return replace(turn, parts=tuple(part for part in turn.parts if isinstance(part, Picture)))


def exchanges_of(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Splits turns into exchanges: a question and all that follows it, up to the next question."""
    exchanges: list[list[Turn]] = []
    for turn in turns:
        if turn.role == "user" or not exchanges:
            exchanges.append([])
        exchanges[-1].append(turn)
    return exchanges
