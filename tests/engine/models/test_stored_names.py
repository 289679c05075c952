"""Parts of models under clear names, files under the names that they always had."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import nn

from engine.models.minigpt4.config import Architecture
from engine.models.pocket.bridge import Bridge
from engine.models.stored_names import use_stored_names
from engine.weights.minigpt4_loader import picture_encoder
from engine.weights.pocket import BRIDGE


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.first, self.clear, self.clearer = nn.Linear(2, 2), nn.Linear(2, 3), nn.Linear(3, 2)
        use_stored_names(self, {"clear": "old.inner", "scale": "old.scale"})


def test_a_state_dict_has_the_stored_names_in_the_modules_order() -> None:
    assert list(Model().state_dict()) == [
        *("old.scale", "first.weight", "first.bias", "old.inner.weight", "old.inner.bias", "clearer.weight", "clearer.bias")
    ]


def test_stored_names_load_at_any_depth() -> None:
    saved, loaded = nn.ModuleDict({"inner": Model()}), nn.ModuleDict({"inner": Model()})
    assert "inner.old.inner.weight" in saved.state_dict()
    loaded.load_state_dict(saved.state_dict())
    assert torch.equal(loaded.get_parameter("inner.clear.weight"), saved.get_parameter("inner.clear.weight"))


def test_the_shipped_bridge_and_the_releases_vision_encoder_keep_their_names() -> None:
    shipped = {name for name in load_file(BRIDGE) if name.startswith("bridge.")}
    assert {f"bridge.{name}" for name in Bridge(576).state_dict()} == shipped
    with torch.device("meta"):
        names = list(picture_encoder(Architecture(), 8).state_dict())
    assert {name.partition(".")[0] for name in names} == {"query_tokens", "vision_model", "qformer", "llama_proj"}
