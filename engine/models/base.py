"""What every vision-language model offers to the engine, so that one engine serves them all."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from engine.api import NamedBox
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
    added behind the first layers. `pixels` are the width and height in which it was seen, where the model speaks of places in them;
    `known` is what a detector of the model's own found.
    """

    embeddings: torch.Tensor
    words: str = ""
    grid: tuple[int, int] | None = None
    deepstack: torch.Tensor | None = None
    pixels: tuple[int, int] = (0, 0)
    known: tuple[NamedBox, ...] = ()

    @property
    def nbytes(self) -> int:
        return self.embeddings.nbytes + (0 if self.deepstack is None else self.deepstack.nbytes)


@dataclass(frozen=True)
class PictureMaps:
    """What a picture became on its way into the language model: as it was seen, and where each soft token looked.

    `image` are the pixels that the encoder got, cut into `grid` rows and columns of patches. `maps` [layers, tokens, rows · columns]:
    each soft token's attention to the patches, the mean over heads, so that a row sums to at most 1; None where each token is a
    patch of its own, row by row. What a token looked at beside the patches (a class token, concepts) is left out.

    `taken` [tokens, rows · columns]: how much each soft token took from each patch, which is each head's attention times the length of
    what that patch adds to it (Kobayashi et al. 2020, arXiv 2004.10102, "Attention is not only a weight"), over all layers, so that
    all a token took sums to 1. Attention alone also rests on patches that have nothing to say.

    `eye` [rows · columns], of an eye without a Q-Former: each patch's share of what the eye's own tokens attend to, the mean over heads
    and over the layers that the language model's tokens come from (`engine.models.received_attention`), laid on the grid. `spans`: where
    tokens stand that are no patch of the grid each, such as those of tiles and a thumbnail: each one's shares of the rows
    [tokens, rows] and of the columns [tokens, columns]; 0 where a token, such as a tile's tag, stands nowhere.
    """

    image: Image.Image
    grid: tuple[int, int]
    maps: torch.Tensor | None = None
    taken: torch.Tensor | None = None
    eye: torch.Tensor | None = None
    spans: tuple[torch.Tensor, torch.Tensor] | None = None

    def on_patches(self, attention: torch.Tensor) -> torch.Tensor:
        """Attention to the picture's tokens [tokens] → to its patches: what each token took of them, as much as it was looked at."""
        if self.taken is not None:
            return attention @ self.taken
        if self.spans is not None:
            rows, columns = self.spans
            return (rows.T @ (attention[:, None] * columns)).flatten()
        return attention


@runtime_checkable
class ShowsPictureMaps(Protocol):
    """A model that can say where its soft tokens looked."""

    def picture_maps(self, picture: Image.Image) -> Generator[None, None, PictureMaps]:
        """Of an RGB picture, prepared or of any size. A little work each time that it is resumed, so that answers go on between."""
        ...


def shares_of(amounts: torch.Tensor) -> torch.Tensor:
    """Amounts [..., tokens] that are not negative → each one's share of its row."""
    shares: torch.Tensor = amounts / amounts.sum(-1, keepdim=True).clamp(min=1e-20)
    return shares


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
