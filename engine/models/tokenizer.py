"""Text to token ids and back, from the `tokenizer.json` of a ready folder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import tokenizers

from engine.errors import ModelError
from engine.models.reasoning import Markers, shown_specials

BYTE = re.compile(r"<0x([0-9A-F]{2})>")  # a token of SentencePiece's byte fallback
SPACE = "▁"


class JsonTokenizer:
    """A `tokenizers.Tokenizer` behind the protocol of `engine.models.base`."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, bos: str | None, eos: Sequence[str], reasoning: Markers = ()) -> None:
        """`reasoning`: the markers of what the model thinks to itself, which `decode` spells even where they are special tokens."""
        self._tokenizer, self.reasoning = tokenizer, reasoning
        self.bos_id = None if bos is None else self._id(bos)
        self.eos_ids = frozenset(self._id(token) for token in eos)
        self._bytewise = tokenizer.token_to_id("<0x00>") is not None
        self.specials = tuple(token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special)
        self._shown = {self._id(token): token for token in shown_specials(self.specials, reasoning)}

    @classmethod
    def read(cls, folder: Path) -> JsonTokenizer:
        """Needs `tokenizer.json`; `bos_token` and `eos_token` come from `tokenizer_config.json`. Raises ModelError."""
        try:
            tokenizer = tokenizers.Tokenizer.from_buffer((folder / "tokenizer.json").read_bytes())
            config = json.loads((folder / "tokenizer_config.json").read_bytes())
        except FileNotFoundError as error:
            raise ModelError(f"{error.filename} is missing. Fetch or convert the model again.") from None
        except ValueError as error:
            raise ModelError(f"The tokenizer in {folder} can't be read: {error}. Fetch or convert the model again.") from None
        eos = content(config.get("eos_token"))
        return cls(tokenizer, content(config.get("bos_token")), [] if eos is None else [eos])

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Special tokens are left out, but for the markers of reasoning."""
        if not self._shown:
            return self._decode(ids)
        runs = ((shown, list(run)) for shown, run in groupby(ids, key=self._shown.__contains__))
        return "".join("".join(self._shown[number] for number in run) if shown else self._decode(run) for shown, run in runs)

    def _decode(self, ids: Sequence[int]) -> str:
        if self._bytewise:
            tokens = (self._tokenizer.id_to_token(number) for number in ids)
            return join_pieces([token for token in tokens if token is not None and token not in self.specials])
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def spell(self, token: int, first: bool = False) -> tuple[str, bytes | None]:
        """See `engine.models.base.Tokenizer`."""
        piece = self._tokenizer.id_to_token(token) or ""
        if piece in self.specials:
            return piece, None
        raw = piece_bytes(piece) if self._bytewise else level_bytes(piece)
        raw = raw.removeprefix(b" ") if first and self._bytewise else raw
        try:
            return raw.decode(), raw
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw), raw

    def _id(self, token: str) -> int:
        found: int | None = self._tokenizer.token_to_id(token)
        if found is None:
            raise ModelError(
                f"tokenizer_config.json names the token {token!r}, which tokenizer.json does not know. Convert the model again."
            )
        return found


def join_pieces(pieces: Sequence[str]) -> str:
    """SentencePiece's way: each byte that is part of no character becomes U+FFFD, where `tokenizers` gives up its whole neighbourhood."""
    raw = b"".join(map(piece_bytes, pieces))
    return re.sub("[\udc80-\udcff]", "\ufffd", raw.decode("utf-8", "surrogateescape")).removeprefix(" ")


def piece_bytes(piece: str) -> bytes:
    """What a piece of SentencePiece stands for."""
    return bytes.fromhex(byte[1]) if (byte := BYTE.fullmatch(piece)) else piece.replace(SPACE, " ").encode()


def level_bytes(piece: str) -> bytes:
    """What a piece of a byte-level BPE stands for; an added token spells itself."""
    letters = byte_letters()
    return bytes(letters[letter] for letter in piece) if set(piece) <= letters.keys() else piece.encode()


@cache
def byte_letters() -> dict[str, int]:
    """The letter that GPT-2 writes for each byte: its own where it is one that shows, else the next free one from U+0100 on."""
    shown = [byte for byte in range(256) if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or byte >= 0xAE]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + at): byte for at, byte in enumerate(hidden)}


def content(token: Any) -> str | None:
    """A token as `tokenizer_config.json` spells it: text, an object with `content`, or nothing."""
    return token["content"] if isinstance(token, dict) else token or None
