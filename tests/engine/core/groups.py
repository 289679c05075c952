"""Sequence groups for tests of those who hold them, without a model: `keys` are the prompt's token ids."""

from __future__ import annotations

from collections import abc

from engine.core.sequences import SampledGroup
from engine.models.card import Generation
from engine.prompts.context import Context
from engine.request import Request
from tests.engine.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()


def group_of(keys: abc.Sequence[int], rows: int, max_tokens: int) -> SampledGroup:
    """`rows` answers to one prompt, of up to `max_tokens` each."""
    made = SampledGroup(Request((), Generation(max_tokens=max_tokens), n=rows), lambda event: None, TOKENIZER, ())
    made.set_prompt(Context((tuple(keys),), 0), max_tokens)
    return made
