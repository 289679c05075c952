"""Turns an answer's tokens into text that may be shown: no half characters, no reasoning, no part of a stop string, no blank edges."""

from __future__ import annotations

from collections.abc import Sequence

from engine.models.base import Tokenizer
from engine.models.reasoning import without_reasoning

REPLACEMENT = "\ufffd"  # how a tokenizer shows a character that is not complete yet


class Detokenizer:
    """The text of one answer as it grows. Text that was shown is never taken back."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str], after: Sequence[int] = (), thinking: str = "") -> None:
        """`after` are the last tokens of the text that the answer continues, if it continues one; `thinking` is the marker of reasoning
        that its prompt ends behind, if it does.
        """
        self.tokenizer, self.stops, self.after, self.thinking = tokenizer, stops, tuple(after), thinking
        self.continues = bool(after)
        self.ids: list[int] = list(after)
        self.given = ""
        self.whole = ""  # text of the ids before `read`, which end on a whole character
        self.prefix, self.read = 0, len(self.ids)

    def push(self, token: int) -> tuple[str, bool]:
        """One more token → what may be shown of it now, and whether a stop string is reached."""
        self.ids.append(token)
        text, stopped = self.cut(self.current())
        return self.give(text if stopped else self.safe(text)), stopped

    def current(self) -> str:
        """The text of all ids. Only the last few are decoded anew, together with the piece before them: a tokenizer may decode the
        first token that it is given differently.
        """
        before = self.tokenizer.decode(self.ids[self.prefix : self.read])
        new = self.tokenizer.decode(self.ids[self.prefix :])[len(before) :]
        if not new or new.endswith(REPLACEMENT):
            return self.whole + new
        self.whole += new
        self.prefix, self.read = self.read, len(self.ids)
        return self.whole

    def fork(self) -> Detokenizer:
        """A copy, which goes on by itself."""
        other = Detokenizer(self.tokenizer, self.stops, self.after, self.thinking)
        other.ids, other.read = self.ids[self.prefix :], self.read - self.prefix
        other.given, other.whole = self.given, self.whole
        return other

    def finish(self) -> str:
        """The answer is complete: the text that was held back."""
        return self.give(self.cut(self.current())[0])

    def decode(self, ids: Sequence[int]) -> tuple[str, bool]:
        """The whole text of an answer of these ids, and whether a stop string ends it."""
        return self.cut(self.tokenizer.decode([*self.after, *ids])[len(self.tokenizer.decode(self.after)) :])

    def cut(self, text: str) -> tuple[str, bool]:
        """Up to the first stop string, without reasoning, blank edges and half characters, and whether there was one."""
        text = without_reasoning(self.thinking + text.replace(REPLACEMENT, ""), self.tokenizer.reasoning)
        text = text if self.continues else text.lstrip()
        found = [at for at in (text.find(stop) for stop in self.stops) if at >= 0]
        return text[: min(found, default=len(text))].rstrip(), bool(found)

    def safe(self, text: str) -> str:
        """Without an end that may become a stop string, or a marker of reasoning."""
        held = (*self.stops, *(begin for begin, _ in self.tokenizer.reasoning))
        return text[: len(text) - max((overlap(text, each) for each in held), default=0)].rstrip()

    def give(self, text: str) -> str:
        """What of `text` was not shown before; it counts as shown from here on."""
        new = text[len(self.given) :]
        self.given += new
        return new


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are the beginning of `stop`."""
    return next((length for length in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:length])), 0)
