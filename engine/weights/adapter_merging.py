"""Adds a LoRA adapter to a model's matrices for good: a new model folder, for those who serve one adapter, or with other programs.

Weight files are rewritten one after the other and tensor by tensor, under the same names: memory stays at a few copies of one matrix.
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from torch import Tensor

from engine.atomic_write import replacing_folder
from engine.errors import AdapterError
from engine.layers.quantization import Slot
from engine.models.card import CARD_NAME
from engine.models.card_reader import read_card
from engine.weights.checkpoint import merge_lora
from engine.weights.peft_format import Adapter, LowRank, module_of, read_adapter
from engine.weights.shard_folder import Progress, check_space
from engine.weights.shards import Conversion, write_shard
from engine.weights.stored_tensors import StoredTensor, open_weights

WEIGHT, SCALE = ".weight", ".weight_scale"


def merge_adapter(base: Path, adapter: Path, out: Path, progress: Progress) -> None:
    """Writes the folder `out`: the ready model `base` with W + scale · B A in the place of W.

    Raises AdapterError where they do not fit each other, ModelError where the disk is full or `out` is `base`.
    """
    card, read = read_card(base), read_adapter(adapter)
    if out.resolve() == base.resolve():
        raise AdapterError(f"{out} is the base itself: name another folder for the merged model.")
    files = {path.name: conversions_of(path, read) for path in sorted(base.glob("*.safetensors"))}
    check_used(read, base)
    total = sum(conversion.nbytes for conversions in files.values() for conversion in conversions)
    written = 0

    def advance(count: int) -> None:
        nonlocal written
        written += count
        progress(written, total)

    with replacing_folder(out) as folder:
        check_space(folder, total)
        for path in base.iterdir():
            if path.is_file() and path.name not in files and path.name != CARD_NAME:
                link(path, folder / path.name)
        for name, conversions in files.items():
            write_shard(folder / name, conversions, advance)
        if (base / CARD_NAME).is_file():
            merged = card.model_copy(
                update={"name": out.name, "quantization": "none" if card.quantization == "q4_1" else card.quantization}
            )
            (folder / CARD_NAME).write_text(merged.model_dump_json(indent=1), encoding="utf-8")


def conversions_of(path: Path, adapter: Adapter) -> list[Conversion]:
    """The tensors of one file as they are to be written."""
    tensors = open_weights(path)
    return [conversion(name, tensor, pair_of(name, tensors, adapter)) for name, tensor in tensors.items()]


def pair_of(name: str, tensors: dict[str, StoredTensor], adapter: Adapter) -> LowRank | None:
    """What is added to the matrix of this name, if anything is. Raises AdapterError where it can't be."""
    module = module_of(name.removesuffix(WEIGHT)) if name.endswith(WEIGHT) else None
    pair = adapter.modules.get(module or "")
    if pair is None:
        return None
    if name.removesuffix(WEIGHT) + SCALE in tensors:
        raise AdapterError(
            f"{tensors[name].path} holds quantised matrices, to which nothing can be added exactly. Merge into the 16-bit form."
        )
    found, wanted = (len(pair.b), pair.a.shape[1]), tensors[name].shape
    if found != wanted:
        raise AdapterError(
            f"{adapter.folder} was trained on another model: its {module} is {found[0]} × {found[1]}, this model's is "
            f"{' × '.join(map(str, wanted))}."
        )
    return pair


def conversion(name: str, tensor: StoredTensor, pair: LowRank | None) -> Conversion:
    make = partial(merged, name, tensor, pair)
    return Conversion({name: Slot(tensor.dtype, tensor.shape)}, make, (tensor,))


def merged(name: str, tensor: StoredTensor, pair: LowRank | None) -> dict[str, Tensor]:
    """The sum is made in fp32 and rounded once."""
    stored = tensor.read()
    if pair is None:
        return {name: stored}
    return {name: merge_lora(stored, pair.a, pair.b, pair.scale).to(stored.dtype)}


def check_used(adapter: Adapter, base: Path) -> None:
    """Raises AdapterError for a part of the adapter that this model has no matrix for."""
    there = {module_of(name.removesuffix(WEIGHT)) for path in base.glob("*.safetensors") for name in open_weights(path)}
    missing = sorted(adapter.modules.keys() - there)
    if missing:
        raise AdapterError(f"{adapter.folder} was trained on another model: {base} has no {missing[0]}.")


def link(path: Path, target: Path) -> None:
    """The same file under another name where the disk can, else a copy."""
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copy2(path, target)
