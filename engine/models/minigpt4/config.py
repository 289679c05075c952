"""The sizes of MiniGPT-4's vision half, as `architecture.json` states them; without one the release's sizes hold."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt, ValidationError, model_validator

from engine.errors import ModelError

ARCHITECTURE_NAME = "architecture.json"
NEIGHBOURS = 4  # patches side by side that make one soft token where there is no Q-Former
VISION_SHARDS = "eye"  # how the names of the vision encoder's weight files begin in a ready folder


class Sizes(BaseModel):
    """A transformer's, in features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_size: PositiveInt
    num_attention_heads: PositiveInt

    @model_validator(mode="after")
    def check_heads(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} can't be shared by {self.num_attention_heads} heads")
        return self


class VisionSizes(Sizes):
    """EVA ViT-g (Fang et al. 2022). `image_size` and `patch_size` in pixels."""

    image_size: PositiveInt = 224
    patch_size: PositiveInt = 14
    hidden_size: PositiveInt = 1408
    num_hidden_layers: PositiveInt = 39  # the released file's 40th block is not used
    num_attention_heads: PositiveInt = 16
    intermediate_size: PositiveInt = 6144
    layer_norm_eps: PositiveFloat = 1e-6
    ln_vision_eps: PositiveFloat = 1e-5

    @property
    def tokens(self) -> int:
        """CLS and one a patch."""
        return 1 + (self.image_size // self.patch_size) ** 2


class QFormerSizes(Sizes):
    """BLIP-2's Querying Transformer (Li et al. 2023)."""

    num_query_tokens: PositiveInt = 32
    hidden_size: PositiveInt = 768
    num_hidden_layers: PositiveInt = 12
    num_attention_heads: PositiveInt = 12
    intermediate_size: PositiveInt = 3072
    cross_attention_frequency: PositiveInt = 2
    layer_norm_eps: PositiveFloat = 1e-12


class Architecture(BaseModel):
    """The whole file. `vicuna_version` says which release of the weights it describes, where that is known; without a Q-Former
    (`qformer` null) four neighbouring patches make a soft token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: VisionSizes = VisionSizes()
    qformer: QFormerSizes | None = QFormerSizes()
    vicuna_version: str | None = None


def read_architecture(path: Path) -> Architecture:
    """Raises ModelError that names the file and what is wrong in it."""
    try:
        return Architecture.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist. Leave --architecture out for the release's sizes.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = f" at {'.'.join(map(str, first['loc']))}" if first["loc"] else ""
        raise ModelError(f"{path} is no architecture file: {first['msg']}{where}.") from None
