"""A model folder in Hugging Face's form: which weight files belong to it, and whether all are there. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from engine.errors import WeightsError

VISION_PREFIXES = ("vision_model.", "qformer.", "query_tokens")  # of BLIP-2's tensors
FORMS = (("model", "safetensors"), ("pytorch_model", "bin"))
NUMBERED = re.compile(r"(.+)-(\d+)-of-(\d+)\.(safetensors|bin)")


def everything(name: str) -> bool:
    return True


def weight_files(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """The files of the first form (safetensors, then pickles) that is complete."""
    failures: list[WeightsError] = []
    for stem, suffix in FORMS:
        present = {path.name for path in folder.glob(f"{stem}*.{suffix}")}
        needed = indexed_files(folder / f"{stem}.{suffix}.index.json", wanted)
        missing = sorted((needed if needed is not None else numbered_files(present)) - present)
        if present and not missing:
            return [folder / name for name in sorted(needed_files(present, needed, folder, f"{stem}.{suffix}.index.json"))]
        if missing:
            failures.append(WeightsError(f"{folder / missing[0]} is missing: the folder's other weight files belong with it. Download it."))
    raise failures[0] if failures else no_weights(folder)


def needed_files(present: set[str], needed: set[str] | None, folder: Path, index: str) -> set[str]:
    """The files to open: all but those that the index lists only for unwanted tensors."""
    if needed is None:
        return present
    listed = indexed_files(folder / index, everything) or set()
    return needed | (present - listed)


def indexed_files(index: Path, wanted: Callable[[str], bool]) -> set[str] | None:
    """The files that hold wanted tensors, or None where there is no index."""
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {file for name, file in weight_map.items() if wanted(name)}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WeightsError(f"{index} is damaged. Download it again, or delete it if all weight files are there.") from None


def numbered_files(present: set[str]) -> set[str]:
    """The names of all shards of the sets that are present in part: `x-00001-of-00003.bin` implies two more."""
    expected: set[str] = set()
    for match in filter(None, map(NUMBERED.fullmatch, present)):
        stem, _, count, suffix = match.groups()
        expected |= {f"{stem}-{number:0{len(count)}d}-of-{count}.{suffix}" for number in range(1, int(count) + 1)}
    return expected


def no_weights(folder: Path) -> WeightsError:
    if (folder / "params.json").exists() or any(folder.glob("consolidated.*.pth")):
        return WeightsError(
            f"{folder} holds LLaMA in its owners' own format. Convert it first with transformers' "
            "`python -m transformers.models.llama.convert_llama_weights_to_hf`, then give the folder that it writes."
        )
    return WeightsError(f"{folder} holds no model*.safetensors and no pytorch_model*.bin. Give the folder that does.")
