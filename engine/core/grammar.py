"""Keeps an answer to a JSON schema: says before each token which ones may come, by llguidance on the processor, whatever the device."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from engine.errors import RequestError
from engine.models.base import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# One space where JSON may have any: a small model would go on with blanks for ever.
LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Vocabulary:
    """A tokenizer's tokens as llguidance wants them."""

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        spelt = [tokenizer.spell(token) for token in range(size)]
        self.tokenizer = tokenizer
        self.special_token_ids = [token for token, (_, raw) in enumerate(spelt) if not raw]  # those without a text never come
        self.tokens = [raw or f"<{token} {name}>".encode() for token, (name, raw) in enumerate(spelt)]
        self.bos_token_id = tokenizer.bos_id
        self.eos_token_id = min(tokenizer.eos_ids)

    def __call__(self, text: str | bytes) -> list[int]:
        return self.tokenizer.encode(text if isinstance(text, str) else text.decode())


class Grammars:
    """Compiles schemas for one model. Any thread may use it."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        self.tokenizer, self.vocabulary = tokenizer, vocabulary
        self.lock = Lock()

    def compile(self, schema: str) -> Matcher:
        """Raises RequestError for what is no JSON schema, or one that asks for what can't be kept to."""
        from llguidance import LLMatcher  # loaded for the first that asks

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
        """A second's work for a large vocabulary, and done for the first that asks."""
        from llguidance import LLTokenizer, TokenizerWrapper

        ends = sorted(self.tokenizer.eos_ids)
        return LLTokenizer(TokenizerWrapper(Vocabulary(self.tokenizer, self.vocabulary)), n_vocab=self.vocabulary, eos_token=ends)


def refused(reason: str) -> RequestError:
    said = reason.splitlines()[0][:200] if reason else "unknown"
    return RequestError(f"The schema can't be kept to: {said}", "response_format")


class Matcher:
    """One answer under way."""

    def __init__(self, matcher: LLMatcher) -> None:
        self.matcher = matcher

    def begin(self) -> Matcher:
        """Another one at the same place."""
        return Matcher(self.matcher.deep_copy())

    def allowed(self) -> bytes:
        """A bit for each token of the vocabulary, the lowest of each 32-bit word first: whether it may come next."""
        return self.matcher.compute_bitmask()

    def accept(self, token: int) -> bool:
        """Takes the token that came; whether the answer is complete and nothing more may come."""
        self.matcher.consume_token(token)
        return self.matcher.is_stopped()
