"""Cuts a conversation to a model's context window, and says so where it can't be made to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.errors import ContextError
from engine.images.decode import Picture
from engine.models.base import EncodedPicture, Tokenizer
from engine.models.card import Card, ChatTemplate
from engine.prompts.jinja_renderer import ChatRenderer
from engine.prompts.renderer import Renderer, merge
from engine.prompts.truncation import truncate
from engine.prompts.turn import Turn

TARGET = 0.75  # share of the window that a conversation may fill after old turns were dropped
PIECE = 4096  # characters of a text that are tokenized at a time when its tokens are counted
MARGIN = 1.25  # a text counted as more than this many times the limit is surely longer than the limit
ANSWER_SHARE = 0.25  # of the window is the most that is kept free for the answer


class ContextWindow:
    """The window of one model, of which the card and the tokenizer tell all that is needed."""

    def __init__(self, card: Card, tokenizer: Tokenizer) -> None:
        self.card, self.tokenizer, self.template = card, tokenizer, card.template

    def limit(self, max_tokens: int) -> int:
        """How many tokens a prompt may have: the window less what is kept free for an answer of `max_tokens`."""
        window = self.card.context_length
        return window - min(max_tokens, int(window * ANSWER_SHARE))

    def fit(
        self, turns: Sequence[Turn], encoded: Mapping[str, EncodedPicture], max_tokens: int, counted: dict[str, int] | None = None
    ) -> tuple[list[Turn], int, int]:
        """The turns that are kept, how many messages are dropped, and an upper bound of the tokens that are kept.

        A picture that is not in `encoded` counts as no token.
        """
        renderer, limit = self.renderer(encoded), self.limit(max_tokens)
        known = {} if counted is None else counted

        def count(segments: Sequence[str | Picture]) -> int:
            return sum(
                self.count(segment, limit, known)
                if isinstance(segment, str)
                else len(encoded[segment.key].embeddings)
                if segment.key in encoded
                else 0
                for segment in merge(segments)
            )

        def measure(turn: Turn) -> int:
            return count(renderer.turn(turn)) if turn.parts else 0

        answer = "" if isinstance(self.template, ChatTemplate) else self.template.answer
        frame = count([*renderer.frame(turns), answer]) + self.template.bos
        target = int(self.card.context_length * TARGET)
        kept, dropped = truncate(renderer.without_system(turns), measure, limit - frame, target - frame)
        system = [turn for turn in turns if turn.role == "system"]
        return [*system, *kept], dropped, frame + sum(map(measure, kept))

    def count(self, text: str, limit: int, counted: dict[str, int]) -> int:
        """The tokens of `text`, counted no further than `limit` needs; a word across two pieces may count one too many.

        `counted` remembers the tokens of texts that were counted before.
        """
        if text not in counted:
            found = 0
            for at in range(0, len(text), PIECE):
                found += len(self.tokenizer.encode(text[at : at + PIECE]))
                if found > MARGIN * limit:
                    break
            counted[text] = found
        return counted[text]

    def renderer(self, encoded: Mapping[str, EncodedPicture]) -> Renderer | ChatRenderer:
        """The model's template, filled with what `encoded` says in words of each picture."""

        def words(picture: Picture) -> str:
            return encoded[picture.key].words if picture.key in encoded else ""

        if isinstance(self.template, ChatTemplate):
            return ChatRenderer(self.template, self.tokenizer.specials, words)
        return Renderer(self.template, self.tokenizer.specials, words)

    def too_long(self, length: int, limit: int) -> ContextError:
        """In OpenAI's own phrases, by which clients know what is the matter."""
        return ContextError(
            f"This model's maximum context length is {self.card.context_length} tokens. Input tokens exceed the configured limit of "
            f"{limit} tokens: the pictures, the system prompt and the last question take {length} or more. Send fewer pictures or a "
            "shorter question.",
            "messages",
        )
