"""4-bit codes that `gander model quantize` rounded once: kept beside the weights they were made from, and loaded in their place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import structlog

from engine.layers.modes import Quantization
from engine.weights.stored_tensors import StoredTensor, open_weights

FOLDER = "int4"  # within the model's
RECORD = "made_from.json"
TUNED = "tuned.safetensors"  # scales and norms that `--tune` made better, in the place of those beside the codes
SAMPLE = 65_536  # bytes of each matrix, by which one model's weights are told from another's
PROJECTION = "_proj.weight"

log = structlog.get_logger()


def with_kept_codes(folder: Path, tensors: Mapping[str, StoredTensor], quantization: Quantization) -> Mapping[str, StoredTensor]:
    """The language model's tensors, in 4 bit with the codes that are kept in the model's folder, if these are of the very same weights."""
    if quantization != "4bit" or any(name.endswith("_scale") for name in tensors):
        return tensors
    kept = folder / FOLDER
    try:
        made_from = json.loads((kept / RECORD).read_text(encoding="utf-8"))["weights"]
    except FileNotFoundError:
        log.info("in 4 bit by rounding to the nearest", closer=f"gander model quantize {folder.name}")
        return tensors
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("kept codes can't be read", folder=str(kept), error=str(error), remedy=f"gander model quantize {folder.name}")
        return tensors
    if made_from != fingerprint(tensors):
        log.warning("kept codes are of other weights", folder=str(kept), remedy=f"gander model quantize {folder.name}")
        return tensors
    return {**tensors, **open_codes(kept)}


def open_codes(kept: Path, *, tuned: bool = True) -> dict[str, StoredTensor]:
    """Codes and scales of a folder of them; with what was tuned, scales and norms are those."""
    files = [file for file in sorted(kept.glob("*.safetensors")) if file.name != TUNED]
    last = [kept / TUNED] if tuned and (kept / TUNED).exists() else []
    return {name: tensor for file in (*files, *last) for name, tensor in open_weights(file).items()}


def fingerprint(tensors: Mapping[str, StoredTensor]) -> str:
    """Of the projections' weights: from each its name, type, shape and first bytes. Moving or renaming files changes nothing."""
    digest = hashlib.sha256()
    for name in sorted(name for name in tensors if name.endswith(PROJECTION)):
        stored = tensors[name]
        digest.update(f"{name} {stored.dtype} {stored.shape}\n".encode())
        with stored.path.open("rb") as file:
            file.seek(stored.offset)
            digest.update(file.read(min(SAMPLE, stored.span * stored.dtype.itemsize)))
    return digest.hexdigest()
