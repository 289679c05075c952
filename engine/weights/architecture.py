"""The sizes of MiniGPT-4's vision half, as `architecture.json` states them; without one the release's sizes hold."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import ModelError

ARCHITECTURE_NAME = "architecture.json"


class VisionSizes(BaseModel):
    """EVA ViT-g (Fang et al. 2022). `image_size` and `patch_size` in pixels, the rest in features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = 224
    patch_size: int = 14
    hidden_size: int = 1408
    num_hidden_layers: int = 39  # the released file's 40th block is not used
    num_attention_heads: int = 16
    intermediate_size: int = 6144
    layer_norm_eps: float = 1e-6
    ln_vision_eps: float = 1e-5

    @property
    def tokens(self) -> int:
        """CLS and one a patch."""
        return 1 + (self.image_size // self.patch_size) ** 2


class QFormerSizes(BaseModel):
    """BLIP-2's Querying Transformer (Li et al. 2023)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_query_tokens: int = 32
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    cross_attention_frequency: int = 2
    layer_norm_eps: float = 1e-12


class Architecture(BaseModel):
    """The whole file. `vicuna_version` says which release of the weights it describes, where that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: VisionSizes = VisionSizes()
    qformer: QFormerSizes = QFormerSizes()
    vicuna_version: str | None = None


def read_architecture(path: Path) -> Architecture:
    """Raises ModelError that names the file and what is wrong in it."""
    try:
        return Architecture.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist. Leave --architecture out for the release's sizes.") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{path} is no architecture file: {first['msg']} at {'.'.join(map(str, first['loc']))}.") from None
