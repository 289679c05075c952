"""What every vision-language model offers to the engine, so that one engine serves them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.models.card import Card
from engine.models.reasoning import Markers

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from engine.models.llama.llama import Llama


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as input of the language model: `embeddings` [tokens, width], and a line of words if the model has one to say.

    Where the model asks for it, `grid` are the rows and columns that its tokens stand in, and `deepstack` [layers, tokens, width] is
    added behind the first layers.
    """

    embeddings: torch.Tensor
    words: str = ""
    grid: tuple[int, int] | None = None
    deepstack: torch.Tensor | None = None

    @property
    def nbytes(self) -> int:
        return self.embeddings.nbytes + (0 if self.deepstack is None else self.deepstack.nbytes)


class Tokenizer(Protocol):
    """The part of a tokenizer that the engine uses. Ids carry no special tokens unless the text spells them."""

    @property
    def bos_id(self) -> int | None: ...

    @property
    def eos_ids(self) -> frozenset[int]: ...

    @property
    def specials(self) -> tuple[str, ...]:
        """Texts that `encode` reads as special tokens: no message may spell them."""
        ...

    @property
    def reasoning(self) -> Markers:
        """Between which texts the model thinks to itself."""
        ...

    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str:
        """The text, without special tokens other than those of `reasoning`. A character that `ids` end inside of shows as U+FFFD."""
        ...

    def spell(self, token: int, first: bool = False) -> tuple[str, bytes | None]:
        """A token's own text and bytes, so that those of an answer joined are its text: with the space that it begins with, unless it is
        the `first` of an answer. A part of a character is spelt out (`bytes:\\xe2\\x80`); a special token has its name and no bytes.
        """
        ...


class VisionLanguageModel(Protocol):
    """A picture encoder and a language model that share an embedding width."""

    @property
    def card(self) -> Card: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def language_model(self) -> Llama: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def eye_pixels(self) -> int | None:
        """Pixels of the side in which a picture is seen at most, however large it is; None: nobody knows."""
        ...

    def capture(self, batches: Sequence[int]) -> None:
        """On CUDA, before the first picture: captures the encoder as CUDA graphs for batches of these sizes, where that pays."""
        ...

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """Does the CPU's part of `encode`, such as scaling, for RGB pictures of any size; in any thread, and again without effect."""
        ...

    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        """RGB pictures, prepared or of any size → one encoding each."""
        ...
