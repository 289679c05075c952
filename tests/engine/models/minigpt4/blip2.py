"""transformers' own BLIP-2 modules, tiny and with lively random weights: what ours are held against."""

from __future__ import annotations

import torch
from torch import nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel, Blip2VisionConfig, Blip2VisionModel

from engine.models.minigpt4.config import QFormerSizes, VisionSizes

VISION = VisionSizes(image_size=28, patch_size=7, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96)
QUERIES = QFormerSizes(num_query_tokens=5, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64)
# Of values around 1: twice the step of the precision at 4, for attention and sums may round in another order.
TOLERANCES = {torch.float32: 1e-5, torch.float16: 2**-7, torch.bfloat16: 2**-4}


def lively(module: nn.Module) -> nn.Module:
    """Every parameter random, so that none is without effect."""
    for name, parameter in module.named_parameters():
        around = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        nn.init.normal_(parameter, around, 0.3)
    return module.eval().requires_grad_(False)


def their_vision_transformer(sizes: VisionSizes) -> nn.Module:
    theirs = Blip2VisionModel(Blip2VisionConfig(**sizes.model_dump(exclude={"ln_vision_eps"})))
    theirs.post_layernorm.eps = sizes.ln_vision_eps
    return lively(theirs)


def their_qformer(sizes: QFormerSizes, memory_width: int, attention: str = "sdpa") -> nn.Module:
    theirs = Blip2QFormerModel(Blip2QFormerConfig(**sizes.model_dump(exclude={"num_query_tokens"}), encoder_hidden_size=memory_width))
    theirs.set_attn_implementation(attention)
    return lively(theirs)
