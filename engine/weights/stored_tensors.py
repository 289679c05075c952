"""Finds where each tensor lies in a weight file, so that an import reads one at a time and never loads or maps a whole file.

Memory stays at one tensor for any model size, also where memory can't be overcommitted, and on read-only files.
A pickled file's structure is read by `torch.load(weights_only=True)`: nothing in it can run.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.proofs import AGAIN, Record, check_finite, check_holes, check_sum, records
from engine.weights.weight_files import POINTER, everything, pointer_error, weight_files

SAFETENSORS_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
DDP = "module."  # before every name of a model that was saved from within DistributedDataParallel
ASKED = re.compile(r"GLOBAL ([\w.]+)")
OLD_FORM = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how PyTorch's files began before 1.6


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that still lies in its file; `offset` in bytes, `stride` in elements. `record` has the sum of its bytes, if any."""

    path: Path
    offset: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    name: str = ""
    record: Record | None = None

    @property
    def span(self) -> int:
        """How many elements lie from the first to the last, both included; gaps of the strides count."""
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True)) if math.prod(self.shape) else 0

    def read(self) -> Tensor:
        """The tensor, contiguous, on the CPU, its bytes proven. Raises WeightsError where the file ends too early or is damaged."""
        flat = torch.empty(self.span, dtype=self.dtype)
        view = raw_bytes(flat)
        with self.path.open("rb") as file:
            file.seek(self.offset)
            if file.readinto(view) != len(view):
                raise WeightsError(f"{self.path} is truncated. {AGAIN}")
        if self.record:
            check_sum(self.path, self.name, self.record, self.offset, view)
        elif self.path.suffix == ".safetensors" and len(self.shape) > 1 and self.dtype.is_floating_point:
            check_holes(self.path, self.name, self.offset, view)
        check_finite(self.path, self.name, flat)
        return flat.as_strided(self.shape, self.stride).contiguous()


def raw_bytes(flat: Tensor) -> memoryview:
    """The bytes of a contiguous CPU tensor, to read into or to write out."""
    return memoryview(flat.reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]  # numpy 2.4's stub lacks the buffer protocol


def open_weights(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one `.safetensors`, `.bin` or `.pth` file; of a training checkpoint those under `model`.

    Raises WeightsError for a file that is missing, truncated, a git-lfs pointer, or holds more than plain tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror}. Check the path.") from None
    if head.startswith(POINTER):
        raise pointer_error(path)
    if path.with_name(f"{path.name}.aria2").exists():
        raise WeightsError(f"{path} is not whole yet: aria2's notes lie beside it. Let aria2 finish (start it again), then try again.")
    return {name.removeprefix(DDP): tensor for name, tensor in opened(path, head).items()}


def opened(path: Path, head: bytes) -> dict[str, StoredTensor]:
    """The tensors of a file that begins with `head`."""
    if path.suffix == ".safetensors":
        return open_safetensors(path)
    if head.startswith(b"GGUF"):
        raise WeightsError(f"{path} is of llama.cpp's form (gguf), which is not read here. Fetch the model as *.safetensors.")
    if head.startswith(OLD_FORM):
        save = f"p = {str(path)!r}; torch.save(torch.load(p, weights_only=True), p)"
        raise WeightsError(f"{path} is in PyTorch's form of before 1.6 (2020). Save it in today's: python -c \"import torch; {save}\"")
    if not head.startswith(b"PK\x03\x04"):
        raise WeightsError(f"{path} is no PyTorch weight file (it begins with {head[:12]!r}): a failed or unfinished download? {AGAIN}")
    return open_torch(path)


def open_folder(folder: Path, wanted: Callable[[str], bool] = everything) -> dict[str, StoredTensor]:
    """All tensors of the folder whose name is `wanted`. Files that hold no wanted tensor may be missing.

    Raises WeightsError that names the missing file or folder.
    """
    if not folder.is_dir():
        raise WeightsError(f"{folder} is not a folder. Give the folder that holds config.json and the weight files.")
    tensors: dict[str, StoredTensor] = {}
    files = weight_files(folder, wanted)
    for path in files.paths:
        for name, tensor in open_weights(path).items():
            if wanted(name) and (name not in tensors or files.places.get(name) == path.name):
                tensors[name] = tensor
    return tensors


def open_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The header is 8 bytes of length, then JSON; offsets count from its end (safetensors' format description)."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            entries = json.loads(file.read(min(length, size)))
        entries.pop("__metadata__", None)
        tensors = {name: stored_entry(path, name, 8 + length, entry) for name, entry in entries.items()}
    except (ValueError, KeyError, AttributeError, TypeError, RuntimeError):
        raise WeightsError(f"{path} is truncated or no safetensors file. {AGAIN}") from None
    return complete(path, size, tensors)


def stored_entry(path: Path, name: str, start: int, entry: Mapping[str, Any]) -> StoredTensor:
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    stride = torch.empty(shape, device="meta").stride()
    tensor = StoredTensor(path, start + begin, SAFETENSORS_DTYPES[entry["dtype"]], shape, stride, name)
    if begin < 0 or end - begin != tensor.span * tensor.dtype.itemsize:
        raise ValueError(entry)
    return tensor


def open_torch(path: Path) -> dict[str, StoredTensor]:
    """With `map_location="meta"` torch reads the structure alone and notes where each storage's bytes begin."""
    try:
        loaded = torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise more_than_tensors(path, str(error)) from None
    except (RuntimeError, OSError):  # which of the two depends on where the file ends
        raise WeightsError(
            f"{path} is truncated: {path.stat().st_size:,} bytes are there, but its table of contents is not. {AGAIN}"
        ) from None
    state = loaded.get("model", loaded.get("state_dict", loaded)) if isinstance(loaded, dict) else None
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds no table of named tensors. Is it the file you meant?")
    sums = records(path)
    tensors = {str(name): stored_tensor(path, str(name), tensor, sums) for name, tensor in state.items() if isinstance(tensor, Tensor)}
    return complete(path, path.stat().st_size, tensors)


def more_than_tensors(path: Path, told: str) -> WeightsError:
    """torch's own words recommend to switch the protection off; ours name what was asked for."""
    asked = ASKED.search(told)
    wanted = f" ({asked[1]})" if asked else ""
    return WeightsError(
        f"{path} holds more than plain tensors{wanted} and was refused: loading it could run code that somebody put there. "
        "Fetch the file from its makers; don't open this one by other programs."
    )


def stored_tensor(path: Path, name: str, tensor: Tensor, sums: Mapping[int, Record]) -> StoredTensor:
    start = tensor.untyped_storage()._checkpoint_offset
    if start is None:
        raise WeightsError(f"{path} does not say where its tensors lie. Save it again with a current version of PyTorch.")
    offset = start + tensor.storage_offset() * tensor.element_size()
    return StoredTensor(path, int(offset), tensor.dtype, tuple(tensor.shape), tensor.stride(), name, sums.get(int(start)))


def complete(path: Path, size: int, tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    for name, tensor in tensors.items():
        if tensor.offset + tensor.span * tensor.dtype.itemsize > size:
            raise WeightsError(f"{path} is truncated: {name} lies beyond its {size:,} bytes. {AGAIN}")
    return tensors
