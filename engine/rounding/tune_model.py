"""Tunes a model's kept codes: the whole model teaches, layer after layer, then the same model in 4 bits learns. That is kept beside them.

The whole model passes through the device one layer at a time, as when it is rounded; only its last hidden states stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.layers.linear import Linear
from engine.layers.quantization import HEAD, Slot
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Block, RMSNorm, rotary
from engine.rounding.layer_rounding import load_block, stored_names
from engine.rounding.student import Student, TunedLinear, TunedNorm
from engine.rounding.tuning import Report, tune
from engine.weights.kept_codes import TUNED, open_codes
from engine.weights.merging import EMBEDDING, language_shapes
from engine.weights.shards import Conversion, write_shard
from engine.weights.stored_tensors import StoredTensor

NORM = "model.norm"


class Tuning:
    """Of one model's kept codes; `ids` [rows, new] is what is read."""

    def __init__(
        self,
        config: LlamaConfig,
        tensors: Mapping[str, StoredTensor],
        codes: Mapping[str, StoredTensor],
        ids: Tensor,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.config, self.tensors, self.codes, self.ids, self.device, self.dtype = config, tensors, codes, ids, device, dtype

    def run(self, report: Report) -> dict[str, Tensor]:
        """Scales in fp16 and norms' weights in fp32, by Hugging Face's names. Told the steps that are done and all there will be."""
        embedding = self.tensors[EMBEDDING].read()
        embedded = embedding[self.ids].to(self.dtype)
        head = embedding if self.config.tie_word_embeddings else self.tensors[HEAD].read()
        rotation = rotary(torch.arange(self.ids.shape[1], device=self.device)[None], self.config, self.dtype)
        student = Student([], self.norm())
        with torch.no_grad():
            taught = self.teach(student, embedded, rotation)
        tune(student, embedded, taught, rotation, head.to(self.device, self.dtype), report)
        return dict(self.learnt(student))

    def teach(self, student: Student, embedded: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Runs the whole model, [rows, new, width] → what its head gets; each layer joins the student in 4 bits when it is done with."""
        hidden = embedded
        for layer in range(self.config.num_hidden_layers):
            block = load_block(self.config, self.tensors, layer, self.device, self.dtype)
            hidden = torch.cat([block(row[None].to(self.device), rotation, None, None).cpu() for row in hidden])
            self.use_codes(f"model.layers.{layer}", block)
            student.layers.append(block)
        return torch.cat([self.norm()(row[None].to(self.device)).cpu() for row in hidden])

    def norm(self) -> RMSNorm:
        """The last one, of the whole model."""
        norm = RMSNorm(self.config.hidden_size, self.config.rms_norm_eps)
        norm.weight = nn.Parameter(self.tensors[f"{NORM}.weight"].read().to(self.device, self.dtype), requires_grad=False)
        return norm

    def use_codes(self, prefix: str, block: Block) -> None:
        """Puts codes in the place of matrices, and norms that learn in that of norms. What has no codes stays whole."""
        for name, module in list(block.named_modules()):
            names = stored_names(f"{prefix}.{name}")
            if isinstance(module, RMSNorm):
                block.set_submodule(name, TunedNorm(module))
            elif isinstance(module, Linear) and names[0] in self.codes:
                codes = torch.cat([self.codes[part].read() for part in names])
                scales = torch.cat([self.codes[f"{part}_scale"].read() for part in names])
                block.set_submodule(name, TunedLinear(codes.to(self.device), scales.to(self.device)))

    def learnt(self, student: Student) -> Iterator[tuple[str, Tensor]]:
        """Cuts the scales of fused matrices into those of the files."""
        shapes = language_shapes(self.config)
        for name, module in student.learning():
            tuned = module.tuned().detach().cpu()
            if isinstance(module, TunedNorm):
                yield f"model.{name}.weight", tuned
            else:
                names = stored_names(f"model.{name}")
                rows = [shapes[part][0] for part in names]
                yield from zip([f"{part}_scale" for part in names], tuned.half().split(rows), strict=True)


def tune_model(
    kept: Path,
    config: LlamaConfig,
    tensors: Mapping[str, StoredTensor],
    ids: Tensor,
    device: torch.device,
    dtype: torch.dtype,
    report: Report,
) -> None:
    """Writes what a model's kept codes learn into their folder, whole or not at all."""
    learnt = Tuning(config, tensors, open_codes(kept, tuned=False), ids, device, dtype).run(report)
    slots = {name: Slot(tensor.dtype, tuple(tensor.shape)) for name, tensor in learnt.items()}
    write_shard(kept / TUNED, [Conversion(slots, lambda: learnt, ())], lambda _: None)
