"""Packed prompts through a model's layers by kernels, against the model in plain torch on each prompt alone."""

from __future__ import annotations

import copy

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.gpu import prompt_step
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_linear import CudaLinear
from engine.kernels.gpu.prompt_step import TritonPrompts
from engine.kernels.gpu.step import GpuStep
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.gpu.triton_kernels import triton_kernels
from engine.kernels.linear import DeviceKernels
from engine.kernels.prompts import TILE, PromptTiles
from engine.kv_cache.cache import LayerShard, PromptView
from engine.layers.modes import Quantization
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama
from tests.engine.kernels.gpu.language import CONFIG, QWEN2_5_VL, QWEN3_VL, ROUNDING, half_language
from tests.engine.kernels.gpu.oracle import BLOCK, error

PROMPTS = [(3, 22), (0, 9)]  # (tokens in the cache, new ones)
BLOCKS = 6
GPU = torch.cuda.is_available()


class Shards:
    """A cache of one shard in the form that `PromptView` reads."""

    def __init__(self, shard: LayerShard) -> None:
        self.shards = [shard]

    def of(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.shards[0].keys[layer], self.shards[0].values[layer]


def read(step: GpuStep, exact: Llama, config: LlamaConfig) -> tuple[float, float]:
    """Both prompts read by kernels in one pass, and one after another in fp32 → errors of the hidden states and of the cache."""
    shape = (2, config.num_hidden_layers, BLOCKS, BLOCK, config.num_key_value_heads, config.head_dim)
    keys, values = torch.randn(shape).half()
    shard, plain = LayerShard(0, config.num_hidden_layers, keys, values), [keys.float(), values.float()]
    tables = torch.tensor([[4, 2, 1], [5, 0, 0]], dtype=torch.int32)
    hidden, expected = torch.zeros(3 * TILE, config.hidden_size).half(), torch.zeros(3 * TILE, config.hidden_size)
    deepstack = torch.randn(config.deepstack, *hidden.shape).half() if config.deepstack else None
    turned = torch.randint(0, 40, (3, 3 * TILE)).int() if config.mrope else None
    for (start, new), table, at in zip(PROMPTS, tables.tolist(), (0, 2 * TILE), strict=True):
        hidden[at : at + new] = torch.randn(new, config.hidden_size).half()
        taken = slice(at, at + new)
        view = PromptView(Shards(LayerShard(0, config.num_hidden_layers, *plain)), [(table, start, start + new)])  # type: ignore[arg-type]
        positions = torch.arange(start, start + new)[None] if turned is None else turned[:, None, taken]
        added = None if deepstack is None else deepstack[:, None, taken].float()
        expected[taken] = exact.run(range(config.num_hidden_layers), hidden[None, taken].float(), positions, view, None, added)[0]
    assert step.prompts is not None
    tiles = PromptTiles(tables[[0, 0, 1]], torch.tensor([3, 19, 0]).int(), torch.tensor([16, 6, 9]).int(), turned)
    found = step.prompts.layers(hidden, shard, tiles, deepstack)
    real = torch.cat([torch.arange(22), torch.arange(32, 41)])
    return error(found[real], expected[real]), max(error(keys, plain[0]), error(values, plain[1]))


@pytest.mark.parametrize(("mode", "config"), [("none", QWEN3_VL), ("int8", CONFIG), ("4bit", QWEN2_5_VL)])
@torch.inference_mode()
def test_packed_prompts_by_tritons_kernels_equal_the_model(
    device: TritonDevice, mode: Quantization, config: LlamaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_step, "TURN", 32)
    language = half_language(mode, config)
    exact = copy.deepcopy(language).float()
    assert max(read(GpuStep(language, triton_kernels), exact, config)) < 2 * ROUNDING


@pytest.mark.skipif(GPU, reason="the host's build of the kernels takes the CPU's tensors")
@pytest.mark.parametrize(("mode", "few"), [("int8", 8), ("4bit", 64)])
@torch.inference_mode()
def test_packed_prompts_from_codes_as_the_card_lays_them_out_equal_the_model(
    launcher: CudaLauncher, mode: Quantization, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_step, "MOST_ROWS", few)  # up to there by the decode step's kernels, beyond by those for prompts
    config = LlamaConfig(34, 64, 64, 2, 4, 2, 16)
    language = half_language(mode, config)
    exact, linear = copy.deepcopy(language).float(), CudaLinear(launcher)
    triton = TritonDevice.of(torch.device("cpu"))
    kernels = DeviceKernels(linear, triton_kernels(torch.device("cpu")).attend, TritonPrompts(triton, linear))
    assert max(read(GpuStep(language, lambda device: kernels), exact, config)) < 2 * ROUNDING
