"""Keeps an answer to a JSON schema: says before each token which ones may come next, by llguidance on the CPU."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from engine.errors import RequestError
from engine.models.base import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# One space where JSON allows any number of blanks: a small model would write blanks without end.
LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Vocabulary:
    """A tokenizer's `size` tokens, in the form that llguidance asks for."""

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        spelt = [tokenizer.spell(token) for token in range(size)]
        self.tokenizer = tokenizer
        self.special_token_ids = [token for token, (_, raw) in enumerate(spelt) if not raw]  # tokens without a text are never allowed
        self.tokens = [raw or f"<{token} {name}>".encode() for token, (name, raw) in enumerate(spelt)]
        self.bos_token_id = tokenizer.bos_id
        self.eos_token_id = min(tokenizer.eos_ids)

    def __call__(self, text: str | bytes) -> list[int]:
        return self.tokenizer.encode(text if isinstance(text, str) else text.decode())


class Grammars:
    """Compiles JSON schemas for one model of `vocabulary` tokens. Any thread may use it."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        self.tokenizer, self.vocabulary = tokenizer, vocabulary
        self.lock = Lock()

    def compile(self, schema: str) -> Matcher:
        """A JSON schema → its grammar, at an answer's beginning. Raises RequestError for what is no schema or can't be kept to."""
        from llguidance import LLMatcher  # imported when the first schema comes

        with self.lock:
            tokens = self.tokens
        try:
            found = LLMatcher(tokens, LLMatcher.grammar_from_json_schema(schema, overrides=LAYOUT), log_level=0)
        except ValueError as error:
            raise refused(str(error)) from None
        if found.is_error():
            raise refused(found.get_error())
        return Matcher(found)

    @cached_property
    def tokens(self) -> LLTokenizer:
        """The vocabulary as llguidance holds it: a second's work for a large one, done when the first schema comes."""
        from llguidance import LLTokenizer, TokenizerWrapper

        ends = sorted(self.tokenizer.eos_ids)
        return LLTokenizer(TokenizerWrapper(Vocabulary(self.tokenizer, self.vocabulary)), n_vocab=self.vocabulary, eos_token=ends)


def refused(reason: str) -> RequestError:
    said = reason.splitlines()[0][:200] if reason else "unknown"
    return RequestError(f"The schema can't be kept to: {said}", "response_format")


class Matcher:
    """The grammar of one answer, and how far the answer has come in it."""

    def __init__(self, matcher: LLMatcher) -> None:
        self.matcher = matcher

    def copy(self) -> Matcher:
        """Another one at the same place, for another answer."""
        return Matcher(self.matcher.deep_copy())

    def allowed(self) -> bytes:
        """Which tokens may come next: a bit for each of the vocabulary, in 32-bit words, lowest bit first."""
        return self.matcher.compute_bitmask()

    def accept(self, token: int) -> bool:
        """Goes on by the token that was written → whether the answer is complete, so that nothing more may come."""
        self.matcher.consume_token(token)
        return self.matcher.is_stopped()
