"""A tokenizer that nobody trained, for models of random weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

from engine.models.tokenizer import join_pieces, piece_bytes

SPECIALS = ("<unk>", "<s>", "</s>")


class WordTokenizer:
    """Makes about as many tokens of English as a real tokenizer of this size; what it decodes, it encodes to the same ids."""

    bos_id = 1
    eos_ids = frozenset({2})
    reasoning = ()

    def __init__(self, vocabulary: int, *specials: str) -> None:
        """`specials` are tokens of their own besides the usual three."""
        self.specials = (*SPECIALS, *specials)
        self.words = re.compile("|".join([*map(re.escape, specials), r"\w+|[^\w\s]"]))
        bytewise = [f"<0x{byte:02X}>" for byte in range(256)]
        first = len(self.specials) + len(bytewise)
        self.pieces = [*self.specials, *bytewise, *(f"▁w{number}" for number in range(first, vocabulary))]
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.first = first

    def encode(self, text: str) -> list[int]:
        words = self.first, len(self.pieces) - self.first
        return [self.find(word, words) for word in self.words.findall(text)]

    def find(self, word: str, words: tuple[int, int]) -> int:
        if word in self.specials:
            return self.ids[word]
        return self.ids.get(f"▁{word}", words[0] + crc32(word.encode()) % words[1])

    def decode(self, ids: Sequence[int]) -> str:
        return join_pieces([self.pieces[number] for number in ids if number >= len(self.specials)])

    def spell(self, token: int, first: bool = False) -> tuple[str, bytes | None]:
        piece = self.pieces[token]
        return (piece, None) if piece in self.specials else (piece, piece_bytes(piece))
