"""The decode step of a model with LoRA: its own modules in torch, attention by our kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu.attend import attend
from engine.kernels.gpu.beams import TritonBeams
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.cache import LayerShard
from engine.models.llama.llama import Cache, Llama, RMSNorm


class LoraStep(TorchStep):
    """See `DecodeStep`. Attention reads a row's blocks where they are; plain torch would copy them first."""

    compact = True

    def __init__(self, language: Llama) -> None:
        super().__init__(language)
        devices = {layer.weight.device for layer in language.modules() if isinstance(layer, RMSNorm)}
        self.devices = {device: TritonDevice.of(device) for device in devices}
        self.beams = TritonBeams() if len(devices) == 1 else None

    def view(self, shard: LayerShard, tables: Tensor, lengths: Tensor) -> Cache:
        return BlocksView(self.devices[shard.device], shard, tables, lengths)


class BlocksView:
    """See `engine.models.llama.Cache`; one new token a row."""

    def __init__(self, device: TritonDevice, shard: LayerShard, tables: Tensor, lengths: Tensor) -> None:
        self.device, self.shard, self.tables, self.lengths = device, shard, tables, lengths

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = self.shard.keys[layer - self.shard.first], self.shard.values[layer - self.shard.first]
        new = (query[:, :, 0].contiguous(), key[:, :, 0].contiguous(), value[:, :, 0].contiguous())
        with torch.cuda.device_of(query):
            return attend(self.device, AttentionInputs(*new, keys, values, self.tables, self.lengths))[:, :, None]
