"""The decode step in plain torch: runs on every device, and is what every other step is tested against."""

from __future__ import annotations

from torch import Tensor

from engine.kernels.beams import BeamKernels
from engine.kernels.decode_step import StepRows
from engine.kernels.prompts import PromptStep
from engine.kv_cache.cache import LayerShard, StepView
from engine.layers.int4_cpu import PackedLinear
from engine.models.llama.llama import Cache, Llama


class TorchStep:
    """See `DecodeStep`: the model's own modules, one token a row."""

    compact = False
    prompts: PromptStep | None = None
    beams: BeamKernels | None = None

    def __init__(self, language: Llama) -> None:
        self.language = language
        for module in language.modules():
            if isinstance(module, PackedLinear) and module.codes is None:
                module.pack_codes()

    def layers(self, hidden: Tensor, shard: LayerShard, rows: StepRows) -> Tensor:
        view = self.view(shard, rows.tables, rows.lengths)
        lora_scales = None if rows.lora_scale is None else rows.lora_scale[:, None]
        return self.language.run(range(shard.first, shard.last), hidden[:, None], rows.positions[:, None], view, lora_scales)[:, 0]

    def view(self, shard: LayerShard, tables: Tensor, lengths: Tensor) -> Cache:
        """The attention over these rows' caches."""
        return StepView(shard, tables, lengths)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.language.logits(self.language.model.norm(hidden))
