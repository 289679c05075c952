"""Which parts of a model a run trains, by the names of its options, and what stays frozen.

A part of the language model (an adapter, say) is made by a function of its own in `LANGUAGE_PARTS`; parts between eye and language
model belong to the model's connector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from engine.errors import ModelError
from engine.models.base import VisionLanguageModel
from engine.models.minigpt4.minigpt4 import MiniGPT4
from engine.models.pocket.pocket import Pocket
from engine.models.pretrained.model import PretrainedModel
from engine.training.alignment.connector import Connector, WholeConnector
from engine.training.alignment.language_part import AdapterOptions, LanguagePart, PartName
from engine.training.alignment.lora_part import lora_part
from engine.training.alignment.minigpt4_connector import MiniGPT4Connector
from engine.training.alignment.native_connector import NativeConnector
from engine.training.alignment.pocket_connector import PocketConnector

__all__ = ["AdapterOptions", "LanguagePart", "PartName", "TrainedModel", "train_parts"]


@dataclass(frozen=True)
class TrainedModel:
    """A model with what is trained of it. `modules` has every trained module by its part's name; all else is frozen."""

    model: VisionLanguageModel
    connector: Connector
    language_parts: tuple[LanguagePart, ...] = ()

    @property
    def modules(self) -> nn.ModuleDict:
        found: dict[str, nn.Module] = {part.name: part.module for part in self.language_parts}
        if self.connector.trained is not None:
            found = {"connector": self.connector.trained, **found}
        return nn.ModuleDict(found)

    @property
    def uses_lora(self) -> bool:
        """Whether adapters take part in the forward: trained ones, or those that the model has for prompts with pictures."""
        return bool(self.language_parts) or self.model.card.architecture == "pocket"

    @property
    def frozen_layers(self) -> int:
        """How many of the language model's first layers make the same of a row at every step: see `StateStore`."""
        if self.connector.trained is not None or not self.language_parts:
            return 0
        return min(part.first_layer for part in self.language_parts)


MakeLanguagePart = Callable[[VisionLanguageModel, AdapterOptions], LanguagePart]
LANGUAGE_PARTS: Mapping[PartName, MakeLanguagePart] = {"lora": lora_part}


def train_parts(model: VisionLanguageModel, names: Sequence[PartName], options: AdapterOptions) -> TrainedModel:
    """Raises ModelError where the model has no such part."""
    for parameter in model.language_model.parameters():
        parameter.requires_grad_(False)
    language = [LANGUAGE_PARTS[name](model, options) for name in names if name in LANGUAGE_PARTS]
    between = [name for name in names if name not in LANGUAGE_PARTS]
    return TrainedModel(model, connector_of(model, between) if between else WholeConnector(model), tuple(language))


def connector_of(model: VisionLanguageModel, names: Sequence[PartName]) -> Connector:
    """`qformer` trains the projection too, which reads what the Q-Former writes."""
    if isinstance(model, MiniGPT4):
        return MiniGPT4Connector(model, with_qformer="qformer" in names)
    if isinstance(model, Pocket):
        return PocketConnector(model, with_qformer="qformer" in names)
    if isinstance(model, PretrainedModel) and "qformer" not in names:  # they have none
        return NativeConnector(model)
    raise ModelError(f"{model.card.name} is of architecture {model.card.architecture}, of which --train {','.join(names)} isn't offered.")
