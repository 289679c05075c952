"""A folder's weights in safetensors files of at most 500 MB, each written tensor by tensor and renamed when it is whole.

The safetensors library needs all tensors of a file in memory. Here only one is at a time, so we write the header ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from engine.atomic_write import replacing
from engine.layers.quantization import Slot
from engine.weights.stored_tensors import SAFETENSORS_DTYPES, StoredTensor, raw_bytes

SHARD_BYTES = 500_000_000
DTYPE_NAMES = {dtype: name for name, dtype in SAFETENSORS_DTYPES.items()}


@dataclass(frozen=True)
class Conversion:
    """How to make one parameter: `make` computes its tensors from `origins`; `slots` are their types and shapes, known before."""

    slots: Mapping[str, Slot]
    make: Callable[[], Mapping[str, Tensor]]
    origins: tuple[StoredTensor, ...]

    @property
    def nbytes(self) -> int:
        return sum(slot.nbytes for slot in self.slots.values())


def split_into_shards(conversions: Iterable[Conversion]) -> list[list[Conversion]]:
    """Groups them in order into shards of at most 500 MB, header included. One that is larger gets a shard of its own."""
    shards: list[list[Conversion]] = []
    room = 0
    for conversion in conversions:
        needed = conversion.nbytes + sum(200 + len(name) for name in conversion.slots)
        if not shards or needed > room:
            shards.append([])
            room = SHARD_BYTES - 8
        shards[-1].append(conversion)
        room -= needed
    return shards


def shard_names(stem: str, count: int) -> list[str]:
    """`language-00001-of-00027.safetensors`: the names tell whether one is missing."""
    return [f"{stem}-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]


def header(conversions: Sequence[Conversion]) -> bytes:
    """The length in 8 bytes, then JSON padded to 8 bytes, as the format asks."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for conversion in conversions:
        for name, slot in conversion.slots.items():
            entries[name] = {"dtype": DTYPE_NAMES[slot.dtype], "shape": slot.shape, "data_offsets": (start, start + slot.nbytes)}
            start += slot.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_shard(path: Path, conversions: Sequence[Conversion], advance: Callable[[int], None]) -> None:
    """Writes one shard, whole or not at all; `advance` is told the bytes of each tensor as it is written."""
    with replacing(path, durable=True) as part, part.open("wb") as file:
        file.write(header(conversions))
        for conversion in conversions:
            tensors = conversion.make()
            for name, slot in conversion.slots.items():
                file.write(raw_bytes(tensors[name].contiguous()))
                advance(slot.nbytes)
