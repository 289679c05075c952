"""Makes a ready model folder of what was trained: its own files beside links to the base's, so that a 7B costs megabytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.atomic_write import PART, replacing
from engine.errors import ModelError
from engine.models.card import CARD_NAME
from engine.models.card_reader import read_card
from engine.models.minigpt4.config import VISION_SHARDS
from engine.training.alignment.parts import TrainedModel
from engine.weights.pocket import BRIDGE, bridge_file
from engine.weights.weight_files import in_cache

MINIGPT4_FILE = f"{VISION_SHARDS}_trained.safetensors"  # read after `eye-0000n…` and `eye.safetensors`, whose tensors it replaces


def export_model(base: Path, out: Path, trained: TrainedModel) -> None:
    """Fills `out` with a model that `gander run --model` serves. Its card comes last: before that the folder is not ready."""
    (out / CARD_NAME).unlink(missing_ok=True)
    link_all(in_cache(base), out)
    stored = {name: tensor.detach().cpu() for name, tensor in trained.connector.stored().items()}
    if stored:
        EXPORTS.get(trained.model.card.architecture, replace_in_shards)(out, stored)
    for part in trained.language_parts:
        part.export(out)
    if (base / CARD_NAME).is_file():
        card = read_card(base).model_copy(update={"name": out.resolve().name})
        with replacing(out / CARD_NAME) as part_file:
            part_file.write_text(card.model_dump_json(indent=1), encoding="utf-8")


def link_all(base: Path, out: Path) -> None:
    """The base's files by hard links, which outlive it; across file systems by symbolic ones. Small files are copied."""
    for file in sorted(path for path in base.iterdir() if path.is_file() and path.suffix != PART and path.name != CARD_NAME):
        target = out / file.name
        target.unlink(missing_ok=True)
        if file.suffix not in {".safetensors", ".bin"}:
            shutil.copyfile(file, target)
            continue
        try:
            os.link(file.resolve(), target)
        except OSError:
            target.symlink_to(file.resolve())


def export_minigpt4(out: Path, stored: Mapping[str, Tensor]) -> None:
    """In the type of the base's vision encoder."""
    shard = next(path for path in sorted(out.glob(f"{VISION_SHARDS}*.safetensors")) if path.name != MINIGPT4_FILE)
    with safe_open(shard, "pt") as file:
        dtype = file.get_tensor(next(iter(file.keys()))).dtype  # it is no dictionary
    write(out / MINIGPT4_FILE, {name: tensor.to(dtype) for name, tensor in stored.items()})


def export_pocket(out: Path, stored: Mapping[str, Tensor]) -> None:
    """The whole bridge, of which some tensors are new; what was the base's own lies linked there already."""
    bridge = load_file(bridge_file(out))
    write(out / BRIDGE.name, bridge | {name: tensor.to(bridge[name].dtype) for name, tensor in stored.items()})


def replace_in_shards(out: Path, stored: Mapping[str, Tensor]) -> None:
    """A hub's repository: every shard that holds a trained tensor is written anew. Raises ModelError for a tensor that none holds."""
    left = dict(stored)
    for path in sorted(out.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names = {own: name for own in file.keys() for name in left if own == name or own.endswith(f".{name}")}  # noqa: SIM118
        if names:
            tensors = load_file(path)
            tensors |= {own: left.pop(name).to(tensors[own].dtype) for own, name in names.items()}
            write(path, tensors)
    if left:
        raise ModelError(f"The base's files hold no {min(left)}: its weights have names that the export does not know.")


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    with replacing(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata={"format": "pt"})


EXPORTS = {"minigpt4": export_minigpt4, "pocket": export_pocket}
