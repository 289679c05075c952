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
    """Fills a model's template with turns.

    `specials` are the tokenizer's special tokens, which no message may contain; `words` gives what the model says in words of a picture.
    """

    def __init__(self, template: Template, specials: Sequence[str], words: Callable[[Picture], str]) -> None:
        self.template, self.words = template, words
        self.markers = sorted({*template.markers, *template.stop, *specials}, key=len, reverse=True)
        self.runs = tuple(stop[0] for stop in template.stop if set(stop) == {stop[0]})  # "###" is a run of "#"

    def render(self, turns: Sequence[Turn], continues: bool = False) -> list[Segment]:
        """The whole prompt, neighbouring texts as one segment, up to where the answer begins.

        With `continues` it ends with the assistant's last message instead, which the answer goes on with.
        Raises RequestError for a picture in a message that is not a user's.
        """
        check(turns)
        spoken = self.without_system(turns)
        if continues and spoken and spoken[-1].role == "assistant":
            begun = self.template.assistant.partition("{content}")[0] + self.text(spoken[-1])
            return merge([*self.frame(turns), *chain(*map(self.turn, spoken[:-1])), begun])
        return merge([*self.frame(turns), *chain(*map(self.turn, spoken)), self.template.answer])

    def without_system(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """The turns of users and the assistant; from the newest picture on, where the model knows one picture only."""
        turns = [turn for turn in turns if turn.role != "system"]
        return since_newest_picture(turns) if self.template.one_picture else turns

    def turn(self, turn: Turn) -> list[Segment]:
        """The segments of one turn of a user or the assistant."""
        return self.user(turn) if turn.role == "user" else self.assistant(turn)

    def frame(self, turns: Sequence[Turn]) -> list[Segment]:
        """The system prompt: all system messages joined, or the template's own if there is none."""
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
        """A user's turn. If the template has `lone_picture`, a picture before another picture becomes a message of its own."""
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
        """As below; a text that ends with `#` gets a space too, so that the `#` does not run into the template's `###`."""
        text = neutralise(text, self.markers)
        return text + " " if text.endswith(self.runs) else text


def neutralise(text: str, markers: Sequence[str]) -> str:
    """Puts a space after the first character of every marker in a message, so that nobody can forge a turn."""
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
    """The turns from the newest picture on; its message keeps its texts and no other picture."""
    shown = [(at, part) for at, turn in enumerate(turns) for part in turn.parts if isinstance(part, Picture)]
    if not shown:
        return turns
    at, newest = shown[-1]
    texts = tuple(part for part in turns[at].parts if isinstance(part, str))
    return [replace(turns[at], parts=(newest, *texts)), *turns[at + 1 :]]


def pictures_first(parts: Sequence[Segment]) -> list[Segment]:
    """The parts in the order in which the models expect them, neighbouring texts joined by a line break.

    If the message ends with a picture, its pictures go first: the question was written before they were shown. Otherwise the
    order is the sender's, for the text may speak of each picture in turn.
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
    """The pattern's segments with its slots filled. Braces inside the contents are not slots."""
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
