"""Turns a conversation into what the language model reads: text segments and pictures, in the words of the model's template."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from engine.errors import RequestError
from engine.images.decode import Picture
from engine.models.card import Template
from engine.prompts.turn import Turn

Segment = str | Picture
SLOT = re.compile(r"\{(content|picture|words)\}")


class Renderer:
    """One template at work. `words` says what the model's vision encoder sees in a picture; `specials` are the tokenizer's own markers."""

    def __init__(self, template: Template, specials: Sequence[str], words: Callable[[Picture], str]) -> None:
        self.template, self.words = template, words
        self.markers = sorted({*template.markers, *template.stop, *specials}, key=len, reverse=True)
        self.runs = tuple(stop[0] for stop in template.stop if set(stop) == {stop[0]})  # "###" is a run of "#"

    def render(self, turns: Sequence[Turn], continues: bool = False) -> list[Segment]:
        """The whole prompt, up to where the answer begins, or, if it `continues`, to the end of what the assistant said last.
        Neighbouring texts are one segment.

        Raises RequestError for a picture that isn't a user's.
        """
        check(turns)
        told = self.told(turns)
        if continues and told and told[-1].role == "assistant":
            begun = self.template.assistant.partition("{content}")[0] + self.text(told[-1])
            return merge([*self.frame(turns), *chain(*map(self.turn, told[:-1])), begun])
        return merge([*self.frame(turns), *chain(*map(self.turn, told)), self.template.answer])

    def told(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """Those that the template tells, besides the system's."""
        turns = [turn for turn in turns if turn.role != "system"]
        return since_newest_picture(turns) if self.template.one_picture else turns

    def turn(self, turn: Turn) -> list[Segment]:
        """A user's or the assistant's."""
        return self.user(turn) if turn.role == "user" else self.assistant(turn)

    def frame(self, turns: Sequence[Turn]) -> list[Segment]:
        """All system messages stand first, as one; the template has its own for conversations that bring none."""
        texts = [self.text(turn) for turn in turns if turn.role == "system"]
        prompt = "\n\n".join(texts) if texts else self.default_system(turns)
        return fill(self.template.system, content=[prompt]) if prompt else []

    def default_system(self, turns: Sequence[Turn]) -> str:
        without = self.template.default_system_without_pictures
        seen = any(isinstance(part, Picture) for turn in turns for part in turn.parts)
        return self.template.default_system if seen or without is None else without

    def assistant(self, turn: Turn) -> list[Segment]:
        return fill(self.template.assistant, content=[self.text(turn)])

    def user(self, turn: Turn) -> list[Segment]:
        """A picture that another picture follows is a message of its own, where the template wants it so."""
        parts, segments = pictures_first(turn.parts), list[Segment]()
        content = list[Segment]()
        for part, following in zip_longest(parts, parts[1:]):
            if isinstance(part, str):
                content.append(self.neutralise(part))
            elif self.template.lone_picture is not None and isinstance(following, Picture):
                segments += self.picture(self.template.lone_picture, part)
            else:
                content += self.picture(self.template.picture, part)
        if parts and isinstance(parts[-1], Picture) and isinstance(content[-1], str):
            content[-1] = content[-1].rstrip()  # a template's space between picture and question, but there is no question
        return segments + fill(self.template.user, content=content)

    def picture(self, pattern: str, picture: Picture) -> list[Segment]:
        return fill(pattern, picture=[picture], words=[self.words(picture)])

    def text(self, turn: Turn) -> str:
        return self.neutralise("\n".join(part for part in turn.parts if isinstance(part, str)))

    def neutralise(self, text: str) -> str:
        """Also keeps a `#` at a message's end apart from the `###` that follows it."""
        text = neutralise(text, self.markers)
        return text + " " if text.endswith(self.runs) else text


def neutralise(text: str, markers: Sequence[str]) -> str:
    """Breaks every marker in a message with a space after its first character, so that nobody forges a turn."""
    for marker in markers:
        forged = re.compile(re.escape(marker), re.IGNORECASE)
        while forged.search(text):
            text = forged.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return text


def check(turns: Sequence[Turn]) -> None:
    for index, turn in enumerate(turns):
        if turn.role != "user" and any(isinstance(part, Picture) for part in turn.parts):
            raise RequestError(
                f"A picture stands in a message of role {turn.role!r}; only a user can show one.", f"messages[{index}].content"
            )


def since_newest_picture(turns: Sequence[Turn]) -> Sequence[Turn]:
    """The conversation as if it began with the last picture in it."""
    shown = [(at, part) for at, turn in enumerate(turns) for part in turn.parts if isinstance(part, Picture)]
    if not shown:
        return turns
    at, newest = shown[-1]
    texts = tuple(part for part in turns[at].parts if isinstance(part, str))
    return [replace(turns[at], parts=(newest, *texts)), *turns[at + 1 :]]


def pictures_first(parts: Sequence[Segment]) -> list[Segment]:
    """A message that ends with a picture asked about it before showing it: the picture goes first, as the models expect.

    Otherwise the order is the sender's, for text may speak of each picture in turn. Neighbouring texts become one.
    """
    if parts and isinstance(parts[-1], Picture):
        parts = sorted(parts, key=lambda part: isinstance(part, str))
    joined: list[Segment] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += "\n" + part
        else:
            joined.append(part)
    return joined


def fill(pattern: str, **slots: Sequence[Segment]) -> list[Segment]:
    """The pattern with its slots filled, once: braces in the contents stay what they are."""
    pieces = SLOT.split(pattern)  # text, slot name, text, slot name, …, text
    segments: list[Segment] = [pieces[0]]
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        segments += [*slots.get(name, []), text]
    return segments


def merge(segments: Sequence[Segment]) -> list[Segment]:
    """Neighbouring texts become one; empty ones go."""
    merged: list[Segment] = []
    for segment in segments:
        if isinstance(segment, str) and merged and isinstance(merged[-1], str):
            merged[-1] += segment
        elif segment != "":
            merged.append(segment)
    return merged


def fit(turns: Sequence[Turn], measure: Callable[[Turn], int], limit: int, target: int) -> tuple[list[Turn], int]:
    """Drops the oldest text until all is at most `target` by `measure` (tokens of one turn), if it is more than `limit`; says how many
    messages.

    A question goes together with its answer. System messages, pictures and the last question stay; a dropped question's
    pictures move to the next one. One big cut instead of a sliding one: a cached prefix would never match again. The newest is
    measured first and nothing beyond the limit at all, so that an endless conversation takes no longer than one that just fits.
    """
    system = [turn for turn in turns if turn.role == "system"]
    exchanges = split([turn for turn in turns if turn.role != "system"])
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
    """The turn without its words."""
    return replace(turn, parts=tuple(part for part in turn.parts if isinstance(part, Picture)))


def split(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Exchanges: a question and what was answered to it, up to the next question."""
    exchanges: list[list[Turn]] = []
    for turn in turns:
        if turn.role == "user" or not exchanges:
            exchanges.append([])
        exchanges[-1].append(turn)
    return exchanges
