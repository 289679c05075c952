"""Our ViT gives transformers' numbers for its weights, under its names."""

from __future__ import annotations

import pytest
import torch

from engine.models.minigpt4.vision_transformer import VisionTransformer
from tests.engine.models.minigpt4.blip2 import TOLERANCES, VISION, their_vision_transformer


@pytest.mark.parametrize("dtype", TOLERANCES)
@torch.inference_mode()
def test_features_are_transformers(dtype: torch.dtype) -> None:
    theirs, ours = their_vision_transformer(VISION).to(dtype), VisionTransformer(VISION).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    pixels = torch.randn(3, 3, 28, 28, dtype=dtype)
    features = ours(pixels)
    assert features.shape == (3, VISION.tokens, VISION.hidden_size)
    torch.testing.assert_close(features, theirs(pixels).last_hidden_state, rtol=0, atol=TOLERANCES[dtype])


def test_names_and_shapes_are_transformers_in_its_order() -> None:
    theirs, ours = their_vision_transformer(VISION).state_dict(), VisionTransformer(VISION).state_dict()
    assert [(name, tensor.shape) for name, tensor in ours.items()] == [(name, tensor.shape) for name, tensor in theirs.items()]
