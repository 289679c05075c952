"""Our language model as one of transformers', with the same weights in the same memory."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.bench.transformers_model import as_transformers
from tests.engine.tiny import CONFIG, tiny_language


@torch.no_grad()
def test_adapters_and_fused_matrices_reach_transformers_without_a_copy() -> None:
    language = tiny_language(config=replace(CONFIG, num_hidden_layers=3))
    part = as_transformers(language).get_parameter("model.layers.1.mlp.up_proj.weight")
    whole = language.get_parameter("model.layers.1.mlp.gate_up_proj.weight")
    assert part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
    for lora in language.add_lora(rank=2, alpha=3.0):
        lora.b.normal_()
    ids = torch.arange(20)[None]
    ours = language.logits(language(language.embed(ids), ids, lora_scale=torch.ones(1, 1, 1)))
    torch.testing.assert_close(as_transformers(language)(input_ids=ids).logits, ours, rtol=1e-4, atol=1e-3)
