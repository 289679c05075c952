"""Rounds a ready folder's language model to 4 bits with error feedback, tunes it if asked, and keeps that: `gander model quantize`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.atomic_write import replacing_folder
from engine.device.devices import abilities
from engine.errors import ModelError
from engine.layers.quantization import quantized_slots
from engine.models.card import CARD_NAME, FALLBACK, Card
from engine.models.card_reader import read_card
from engine.models.llama.config import LlamaConfig
from engine.models.pretrained_card import stated_dtype
from engine.models.tokenizer import JsonTokenizer
from engine.rounding.layer_rounding import TEXT, LayerRounding, calibration_ids
from engine.rounding.tune_model import tune_model
from engine.rounding.tuning import Report
from engine.rounding.tuning_memory import TuningMemory, tuning_memory
from engine.weights.kept_codes import FOLDER, RECORD, fingerprint
from engine.weights.llama_loader import open_shards
from engine.weights.shard_folder import Progress, write_weights
from engine.weights.shards import Conversion
from engine.weights.stored_tensors import StoredTensor

STEM = "language"
TUNED_LENGTH = 256  # tokens of a row to tune by, which is a step: many short ones
TUNED_ROWS = 64


@dataclass(frozen=True)
class Reports:
    """Who is told of progress: the bytes that are written and will be, and the steps of tuning that are done and will be."""

    rounding: Progress
    tuning: Report


def round_model(folder: Path, device: torch.device, reports: Reports, *, tuned: bool = False) -> Path:
    """Makes the folder of codes inside `folder`, computing on `device`; a run that was stopped continues. Returns it.

    With `tuned` scales and norms are tuned then; codes that this version made of these weights before are taken as they are.
    Raises ModelError for a folder that has nothing to round, and WeightsError for a weight file that can't be used.
    """
    card = read_card(folder)
    if card.architecture == FALLBACK:
        raise ModelError(f"{card.name} is of type {card.version}, which transformers computes: it is not quantised.")
    config, tensors, tokenizer = open_language(folder, card)
    if any(name.endswith("_scale") for name in tensors):
        raise ModelError(f"{card.name} is stored quantised already. Import it again with --quantize none, and quantise that.")
    bos = tokenizer.bos_id if card.template.bos else None
    encoded = tokenizer.encode(TEXT.read_text(encoding="utf-8"))
    dtype = rounding_dtype(folder, device)
    rounding = LayerRounding(config, tensors, calibration_ids(encoded, bos), device, dtype)
    if not rounding.names:
        raise ModelError(f"{card.name} has no matrix whose rows can be cut into groups of 64: it is kept in 8 bits.")
    record = json.dumps({"weights": fingerprint(tensors), "text": hashlib.sha256(TEXT.read_bytes()).hexdigest()})
    if not (tuned and read_record(folder) == record):
        with replacing_folder(folder / FOLDER, resume=True) as kept:
            write_weights(kept, {STEM: [conversion(name, tensors[name], rounding) for name in rounding.names]}, reports.rounding)
            (kept / RECORD).write_text(record, encoding="utf-8")
    if tuned:
        rows = calibration_ids(encoded, bos, length=TUNED_LENGTH, rows=TUNED_ROWS)
        tune_model(folder / FOLDER, config, tensors, rows, device, tuning_dtype(dtype), reports.tuning)
    return folder / FOLDER


def tuning_needs(folder: Path, device: torch.device) -> TuningMemory:
    """What `round_model` of this folder takes to tune. Raises ModelError and WeightsError."""
    config, _, _ = open_language(folder, read_card(folder))
    return tuning_memory(config, tuning_dtype(rounding_dtype(folder, device)), rows=TUNED_ROWS, length=TUNED_LENGTH)


def rounding_dtype(folder: Path, device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "cpu" else abilities(device).dtype_for(stated_dtype(folder))


def read_record(folder: Path) -> str | None:
    """What the codes that are kept already were made of."""
    try:
        return (folder / FOLDER / RECORD).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def tuning_dtype(dtype: torch.dtype) -> torch.dtype:
    """bf16 on processors that multiply it: twice as fast there, and its errors are small against those of 4 bits."""
    return torch.bfloat16 if dtype == torch.float32 and torch.cpu.get_capabilities().get("avx512_bf16") else dtype


def open_language(folder: Path, card: Card) -> tuple[LlamaConfig, Mapping[str, StoredTensor], JsonTokenizer]:
    """The language model's shape, its tensors by LLaMA's own names, and its tokenizer: of our own folders, and of a hub's."""
    if (folder / CARD_NAME).is_file():
        return LlamaConfig.read(folder / "config.json"), open_shards(folder, "language"), JsonTokenizer.read(folder)
    from transformers import AutoConfig, AutoTokenizer  # takes three seconds, which only a hub's folders need

    from engine.weights.pretrained_loader import language_config, language_tensors, read_tokenizer

    tensors = language_tensors(folder)
    config = language_config(AutoConfig.from_pretrained(folder, local_files_only=True), tensors)
    return config, tensors, read_tokenizer(AutoTokenizer.from_pretrained(folder, local_files_only=True), folder, card)


def conversion(name: str, origin: StoredTensor, rounding: LayerRounding) -> Conversion:
    slots = quantized_slots(name, origin.shape, "4bit")
    return Conversion(slots, lambda: dict(zip(slots, rounding.take(name), strict=True)), (origin,))
