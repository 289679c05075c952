"""Converts LLaMA's `tokenizer.model` to a `tokenizer.json` that gives the token ids of 2023, whatever the configs beside it say.

`LLaMATokenizer`, empty special tokens and wrong ids are common in the configs of that time; the SentencePiece model itself
is right, so only it is read. "2023" means: every segment gets a space in front, also one that begins with a space.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from engine.errors import WeightsError
from engine.models.tokenizer import SPACE

TOKENIZER_NAME = "tokenizer.json"


@dataclass(frozen=True)
class Special:
    """Ids of the tokens that begin and end a text."""

    bos_id: int
    eos_id: int


def convert_tokenizer(folders: Sequence[Path], vocabulary: int, out: Path) -> Special:
    """Writes `tokenizer.json` and `tokenizer_config.json` into `out` from the first of `folders` that has a tokenizer.

    `vocabulary` is the number of rows of the embedding; words beyond the SentencePiece model come from `added_tokens.json`.
    Raises WeightsError where no folder has one, or it knows more words than the model.
    """
    folder = next((folder for folder in folders if (folder / "tokenizer.model").exists()), None)
    if folder is None:
        raise WeightsError(f"{folders[0] / 'tokenizer.model'} is missing. Every LLaMA folder has one (about 500 kB): download it.")
    pieces = read_pieces(folder / "tokenizer.model")
    known = len(pieces)
    if known > vocabulary:
        raise WeightsError(
            f"{folder / 'tokenizer.model'} has {known} words, the language model {vocabulary}: it is another model's. Download its own."
        )
    tokenizer = build_tokenizer(pieces, added_words(folder, known, vocabulary))
    (out / TOKENIZER_NAME).write_text(tokenizer.to_str(pretty=True), encoding="utf-8")  # its own `save` tells of a full disk by no OSError
    names = {f"{kind}_token": pieces.id_to_piece(number) for kind, number in control_ids(pieces).items()}
    config = {"tokenizer_class": "LlamaTokenizer", "legacy": True, **names}
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return Special(pieces.bos_id(), pieces.eos_id())


def read_pieces(path: Path) -> SentencePieceProcessor:
    """Raises WeightsError for a git-lfs pointer or another kind of file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror}. Check who may read it.") from None
    if content.startswith(b"version https://git-lfs"):
        raise WeightsError(
            f"{path} is a git-lfs pointer, not the tokenizer. Run `git lfs pull` in its folder, or download the file itself."
        )
    pieces = SentencePieceProcessor()
    try:
        pieces.LoadFromSerializedProto(content)
    except RuntimeError:
        raise WeightsError(f"{path} is truncated or no SentencePiece model. Download it again.") from None
    return pieces


def control_ids(pieces: SentencePieceProcessor) -> dict[str, int]:
    return {"unk": pieces.unk_id(), "bos": pieces.bos_id(), "eos": pieces.eos_id()}


def added_words(folder: Path, known: int, vocabulary: int) -> list[str]:
    """The words with ids from `known` on, such as v0's `[PAD]`. A row without a name gets one that no text contains."""
    path = folder / "added_tokens.json"
    try:
        by_id = {number: word for word, number in json.loads(path.read_text(encoding="utf-8-sig")).items()}
    except FileNotFoundError:
        by_id = {}
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror}. Check who may read it.") from None
    except (ValueError, AttributeError):
        raise WeightsError(f"{path} is damaged. Download it again, or delete it: without it [PAD] has no name.") from None
    return [by_id.get(number, f"<unused {number}>") for number in range(known, vocabulary)]


def build_tokenizer(pieces: SentencePieceProcessor, added: Sequence[str]) -> Tokenizer:
    """Byte-pair encoding with byte fallback, as SentencePiece does it, over one segment at a time."""
    controls = [pieces.id_to_piece(number) for number in control_ids(pieces).values()]
    vocabulary = {pieces.id_to_piece(number): number for number in range(len(pieces))}
    bpe = models.BPE(vocab=vocabulary, merges=merges(pieces, vocabulary), unk_token=controls[0], fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)]
    )
    tokenizer.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in (*controls, *added)])
    return tokenizer


def merges(pieces: SentencePieceProcessor, vocabulary: Mapping[str, int]) -> list[tuple[str, str]]:
    """Every pair of words that joins to a word, best score first. SentencePiece stores only the words, `tokenizer.json` wants the pairs."""
    scored = [
        (pieces.get_score(number), word[:cut], word[cut:])
        for word, number in vocabulary.items()
        if not (pieces.is_control(number) or pieces.is_unknown(number) or pieces.is_byte(number) or pieces.is_unused(number))
        for cut in range(1, len(word))
        if word[:cut] in vocabulary and word[cut:] in vocabulary
    ]
    scored.sort(key=lambda merge: (-merge[0], vocabulary[merge[1]], vocabulary[merge[2]]))
    return [(left, right) for _, left, right in scored]
