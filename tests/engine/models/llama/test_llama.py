"""Our LLaMA against transformers' on the same random weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig as OracleConfig
from transformers import LlamaForCausalLM

from engine.errors import ModelError, WeightsError
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama


def pair(heads: int = 4, kv_heads: int = 2, tied: bool = False, seed: int = 0) -> tuple[Llama, LlamaForCausalLM]:
    torch.manual_seed(seed)
    theirs = OracleConfig(
        vocab_size=97,
        hidden_size=16 * heads,
        intermediate_size=88,
        num_hidden_layers=3,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        tie_word_embeddings=tied,
        initializer_range=0.2,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
    )
    oracle = LlamaForCausalLM(theirs)
    ours = Llama(LlamaConfig.from_json(theirs.to_dict()))
    ours.load_weights(oracle.state_dict())
    return ours, oracle


def run(model: Llama, ids: Tensor) -> Tensor:
    return model.logits(model(model.embed(ids), torch.arange(ids.shape[1])[None]))


@settings(max_examples=12, deadline=None)
@given(heads=st.sampled_from([(4, 4), (4, 2), (6, 2), (3, 1)]), tied=st.booleans(), rows=st.integers(1, 3), length=st.integers(1, 20))
@torch.no_grad()
def test_logits_equal_the_oracle(heads: tuple[int, int], tied: bool, rows: int, length: int) -> None:
    ours, oracle = pair(*heads, tied=tied)
    ids = torch.randint(97, (rows, length))
    torch.testing.assert_close(run(ours, ids), oracle(ids).logits, rtol=1e-4, atol=1e-4)


def test_gradients_equal_the_oracle() -> None:
    ours, oracle = pair()
    ids = torch.randint(97, (2, 7))
    for logits in (run(ours, ids), oracle(ids).logits):
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    expected = oracle.model.layers[0].mlp.down_proj.weight.grad
    torch.testing.assert_close(ours.get_parameter("model.layers.0.mlp.down_proj.weight").grad, expected, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_lora_is_switched_by_row() -> None:
    ours, _ = pair()
    ids, positions = torch.randint(97, (1, 5)).expand(2, 5), torch.arange(5)[None]
    plain = ours(ours.embed(ids), positions)
    for adapter in ours.add_lora(rank=2):
        adapter.b.normal_()
    lora = ours(ours.embed(ids), positions, lora_scale=torch.tensor([1.0, 0.0]).view(2, 1, 1))
    assert torch.equal(ours(ours.embed(ids), positions), plain)
    torch.testing.assert_close(lora[1], plain[1], rtol=1e-5, atol=1e-6)
    assert (lora[0] - plain[0]).abs().max() > 0.1


def test_tied_embeddings_stay_one_tensor() -> None:
    ours, _ = pair(tied=True)
    assert ours.to(torch.bfloat16).lm_head.weight is ours.model.embed_tokens.weight


def test_weights_that_do_not_fit_are_named() -> None:
    ours, oracle = pair()
    state = oracle.state_dict()
    with pytest.raises(WeightsError, match=r"layers\.1\.self_attn\.k_proj"):
        ours.load_weights({name: tensor for name, tensor in state.items() if "layers.1.self_attn.k_proj" not in name})
    with pytest.raises(WeightsError, match=r"lm_head\.weight"):
        ours.load_weights(state | {"lm_head.weight": torch.zeros(98, 64)})


def test_what_is_not_computed_is_refused() -> None:
    config = {"hidden_act": "silu", "rope_scaling": {"type": "linear", "factor": 2.0}}
    with pytest.raises(ModelError, match="rope_type"):
        LlamaConfig.from_json(config)
