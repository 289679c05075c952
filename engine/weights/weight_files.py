"""A model folder in Hugging Face's form: which weight files belong to it, and whether all are there. No torch.

The index decides: what it doesn't list is another download's rest and is not read. Only where there is none do names tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import WeightsError

VISION_PREFIXES = ("vision_model.", "qformer.", "query_tokens")  # of BLIP-2's tensors
FORMS = (("model", "safetensors"), ("pytorch_model", "bin"))
NUMBERED = re.compile(r"(.+)-(\d+)-of-(\d+)\.(safetensors|bin)")
POINTER = b"version https://git-lfs"
POINTER_BYTES = 1024  # a pointer is smaller


@dataclass(frozen=True)
class WeightFiles:
    """The files to open, and for each tensor that an index knows the name of its file."""

    paths: tuple[Path, ...]
    places: Mapping[str, str] = field(default_factory=dict)


def everything(name: str) -> bool:
    return True


def weight_files(folder: Path, wanted: Callable[[str], bool] = everything) -> WeightFiles:
    """The files of one form: the first that an index describes (safetensors before pickles), else the first that is complete by its names.

    Raises WeightsError for a folder in which something is missing, and one where nobody can tell which of two sets is meant.
    """
    indices = {form: read_index(folder / "{}.{}.index.json".format(*form)) for form in FORMS}
    failures: list[WeightsError] = []
    begun = False
    for index in filter(None, indices.values()):
        needed = {file for name, file in index.items() if wanted(name)}
        missing = sorted(file for file in needed if not is_whole(folder / file))
        if not missing:
            return WeightFiles(tuple(folder / name for name in sorted(needed | forgotten(folder, index, wanted))), index)
        if missing:
            failures.append(is_missing(folder / missing[0]))
            begun = begun or any((folder / file).is_file() for file in index.values())
    if begun:
        raise failures[0]
    for stem, suffix in FORMS:
        present = {path.name for path in folder.glob(f"{stem}*.{suffix}")}
        missing = sorted(name for name in present | numbered_files(present) if not is_whole(folder / name))
        if present and not missing:
            return WeightFiles(tuple(folder / name for name in sorted(only_set(folder, present, f"{stem}.{suffix}"))))
        if missing:
            failures.append(is_missing(folder / missing[0]))
    raise failures[0] if failures else no_weights(folder)


def read_index(path: Path) -> dict[str, str] | None:
    """For each tensor the name of its file; None where there is no index. Raises WeightsError for one that is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))["weight_map"]
        listed = {str(name): str(file) for name, file in found.items()}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror}. Check who may read it.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WeightsError(f"{path} is damaged. Download it again, or delete it if all weight files are there.") from None
    if outside := next((file for file in listed.values() if Path(file).name != file), None):
        raise WeightsError(f"{path} names {outside!r}, a file outside its folder. Download the model from its makers.")
    return listed


def indexed_files(index: Path, wanted: Callable[[str], bool]) -> set[str] | None:
    """The files that hold wanted tensors, or None where there is no index."""
    listed = read_index(index)
    return None if listed is None else {file for name, file in listed.items() if wanted(name)}


def forgotten(folder: Path, index: Mapping[str, str], wanted: Callable[[str], bool]) -> set[str]:
    """Shards of a set that the index lists in part: `x-00002-of-00003`, where it names the first and the third alone."""
    listed = set(index.values())
    return {name for name in numbered_files(listed) - listed if is_whole(folder / name)}


def only_set(folder: Path, present: set[str], plain: str) -> set[str]:
    """The files of the one set that is there. Raises WeightsError where there are two: which is stale nobody can tell."""
    sets: dict[object, set[str]] = {}
    for name in present:
        match = NUMBERED.fullmatch(name)
        sets.setdefault((match[1], match[3]) if match else name, set()).add(name)
    if len(sets) > 1 and {plain} in sets.values() and not any(NUMBERED.fullmatch(name) for name in present):
        return {plain}  # the others are its variants, such as model.fp16.safetensors
    if len(sets) > 1:
        first, second = sorted(min(names) for names in sets.values())[:2]
        raise WeightsError(
            f"{folder} holds two sets of weights ({first} and {second}) and no index that says which is meant. "
            "Delete the one that is not, or download the index."
        )
    return present


def check_unlisted(folder: Path) -> None:
    """Raises WeightsError where a whole file stands beside an index that names others: transformers, which loads the eye, would take it."""
    plain = folder / "model.safetensors"
    if plain.is_file() and plain not in weight_files(folder).paths:
        raise WeightsError(f"{plain} is not among the files that the index beside it lists: a rest of another download. Remove it.")


def is_whole(path: Path) -> bool:
    """Whether a file is there, and not a pointer of git-lfs in its place."""
    return path.is_file() and not is_pointer(path)


def is_pointer(path: Path) -> bool:
    if path.stat().st_size > POINTER_BYTES:
        return False
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER


def is_missing(path: Path) -> WeightsError:
    if path.is_file():
        return pointer_error(path)
    return WeightsError(f"{path} is missing: the folder's other weight files belong with it. Download it.")


def pointer_error(path: Path) -> WeightsError:
    return WeightsError(f"{path} is a git-lfs pointer, not the weights. Run `git lfs pull` in its folder, or download the file itself.")


def numbered_files(present: Iterable[str]) -> set[str]:
    """The names of all shards of the sets that are present in part: `x-00001-of-00003.bin` implies two more."""
    expected: set[str] = set()
    for match in filter(None, map(NUMBERED.fullmatch, present)):
        stem, _, count, suffix = match.groups()
        expected |= {f"{stem}-{number:0{len(count)}d}-of-{count}.{suffix}" for number in range(1, int(count) + 1)}
    return expected


def in_cache(folder: Path) -> Path:
    """Of a repository's root in a hub's cache (`models--owner--name`) the folder of its newest commit; any other folder itself."""
    commits = [path for path in folder.glob("snapshots/*") if path.is_dir()]
    if not commits or (folder / "config.json").exists():
        return folder
    main = folder / "refs" / "main"
    named = folder / "snapshots" / (main.read_text(encoding="utf-8").strip() if main.is_file() else "none")
    return named if named in commits else max(commits, key=lambda path: path.stat().st_mtime_ns)


def no_weights(folder: Path) -> WeightsError:
    if (folder / "params.json").exists() or any(folder.glob("consolidated.*.pth")):
        return WeightsError(
            f"{folder} holds LLaMA in its owners' own format. Convert it first with transformers' "
            "`python -m transformers.models.llama.convert_llama_weights_to_hf`, then give the folder that it writes."
        )
    if gguf := next(folder.glob("*.gguf"), None):
        return WeightsError(
            f"{gguf} is of llama.cpp's form, which this engine does not compute. Fetch the model's repository with *.safetensors."
        )
    return WeightsError(f"{folder} holds no model*.safetensors and no pytorch_model*.bin. Give the folder that does.")
