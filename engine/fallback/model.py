"""A picture model that we have no family for, whole as transformers has it: answered by transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoTokenizer,
    BatchFeature,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.utils import logging as transformers_logging

from engine.errors import ModelError, WeightsError
from engine.models.card import Card
from engine.models.tokenizer import JsonTokenizer
from engine.weights.pretrained_loader import first_line, load_processor, read_tokenizer


@dataclass(frozen=True)
class FallbackModel:
    """`network` and `processor` are transformers'; `tokenizer` is for our own part, a copy that other threads may use."""

    card: Card
    tokenizer: JsonTokenizer
    processor: ProcessorMixin
    network: PreTrainedModel

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def vocabulary(self) -> int:
        return int(self.network.config.get_text_config().vocab_size)

    def process(self, texts: Sequence[str], pictures: Sequence[Sequence[Image.Image]]) -> BatchFeature:
        """Prompts with their pictures → what `generate` takes, on the CPU; shorter prompts are padded at their left.

        Raises what transformers raises for what this type can't read.
        """
        shown = [list(some) for some in pictures] if any(pictures) else None
        made: Any = self.processor(text=list(texts), images=shown, padding=len(texts) > 1, return_tensors="pt", add_special_tokens=False)
        return made  # type: ignore[no-any-return]  # a processor's type is not told

    def moved(self, inputs: BatchFeature) -> dict[str, Any]:
        """`inputs` on the device, in the network's own numbers."""

        def move(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            return value.to(self.device, self.network.dtype if value.is_floating_point() else None)

        return {name: move(value) for name, value in inputs.items()}


def read_config(folder: Path) -> PreTrainedConfig:
    """Raises ModelError."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} can't be read: {first_line(error)} Fetch the model again.") from None
    return config


def load_fallback(folder: Path, card: Card, config: PreTrainedConfig, device: torch.device, dtype: torch.dtype) -> FallbackModel:
    """Raises ModelError and WeightsError that name the folder and the remedy."""
    try:
        fast = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
        processor = load_processor(folder, config, fast)
        own = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (ImportError, AttributeError) as error:  # AttributeError: of a part for films that such a package would bring
        raise ModelError(
            f"{folder} is of type {card.version}, whose pictures need a package that is not here: {first_line(error)}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder} can't be read: {first_line(error)} Fetch the model again.") from None
    return FallbackModel(card, read_tokenizer(own, folder, card), processor, load_network(folder, config, device, dtype))


def load_network(folder: Path, config: PreTrainedConfig, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """Without remote code, of safetensors alone. What its makers set for `generate` is told by the card, and forgotten here."""
    before = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder, config=config, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise WeightsError(f"{folder}: transformers can't load its weights: {first_line(error)} Fetch the model again.") from None
    finally:
        transformers_logging.set_verbosity(before)
    network, told = loaded
    if told["missing_keys"]:
        raise WeightsError(f"{folder} lacks {min(told['missing_keys'])}: a weight file is missing from it. Fetch the model again.")
    nn.Module.to(network, device)
    network.generation_config = GenerationConfig()
    whole: PreTrainedModel = network.eval().requires_grad_(False)
    return whole
