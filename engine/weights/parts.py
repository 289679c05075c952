"""Finds MiniGPT-4's parts in a folder by what is in the files, whatever they are called: `gander model import FOLDER`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from engine.errors import ModelError
from engine.models.minigpt4.config import ARCHITECTURE_NAME, read_architecture
from engine.models.pretrained_card import read_json
from engine.weights.checkpoint import PROJECTION, Kind, kind_of
from engine.weights.importing import Sources
from engine.weights.merging import LLAMA2_CONTEXT, V0_WORDS, HubLlama, is_delta, open_llama
from engine.weights.stored_tensors import open_weights
from engine.weights.weight_files import in_cache

Part = Literal["llama", "delta", "vit", "blip2", "checkpoint", "architecture"]
FILES = {".bin", ".pt", ".pth", ".safetensors"}
MARKS: dict[Part, str] = {"checkpoint": PROJECTION[0], "blip2": "query_tokens", "vit": "patch_embed.proj.weight"}  # in this order
WANTED: dict[Part, str] = {
    "llama": "Vicuna v0 (a folder with config.json), or LLaMA of 2023 beside a Vicuna delta",
    "vit": "eva_vit_g.pth",
    "blip2": "blip2_pretrained_flant5xxl.pth",
    "checkpoint": "pretrained_minigpt4_7b.pth or pretrained_minigpt4.pth",
}
WANTED_ON_LLAMA2: dict[Part, str] = {"llama": "Llama 2 Chat (meta-llama/Llama-2-7b-chat-hf)", "vit": WANTED["vit"]}
BODIES: tuple[Part, ...] = ("llama", "delta")
OF_ONE_WIDTH: tuple[Part, ...] = ("llama", "checkpoint")
DEEPEST = 4


@dataclass
class Found:
    """What a folder holds: paths by part, and what could not be read, with the reason."""

    paths: dict[Part, list[Path]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, part: Part, path: Path) -> None:
        self.paths.setdefault(part, []).append(path)


def sources_in(folder: Path, named: Mapping[str, Path] | None = None) -> Sources:
    """All parts of one model, those that are `named` by their options taken from there.

    Raises ModelError that says which is missing, or between which one has to choose.
    """
    present = find_parts(folder)
    present.paths |= {part: [path] for part in get_args(Part) if (path := (named or {}).get(part))}
    found = one_each(folder, present)
    later = kind_found(found) != "minigpt4"
    wanted = WANTED_ON_LLAMA2 if later else WANTED
    missing = [words for part, words in wanted.items() if part not in found.paths and not (part == "vit" and holds_vit(found))]
    if missing:
        faults = f" Not readable: {' '.join(found.faults)}" if found.faults else ""
        fetch = "Put it there." if later else f"`gander model pull minigpt4-7b --from {folder}` fetches what is missing."
        raise ModelError(f"{folder} holds no {'; no '.join(missing)}.{faults} {fetch}")
    return Sources(**{part: paths[0] for part, paths in found.paths.items()})


def holds_vit(found: Found) -> bool:
    """A copy of BLIP-2's repository holds both halves of the vision encoder."""
    return any(path.is_dir() for path in found.paths.get("blip2", ()))


def find_parts(folder: Path) -> Found:
    """Everything in a folder, four levels deep, that is a part of MiniGPT-4. Raises ModelError where it is no folder."""
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder. Give the one in which MiniGPT-4's files lie.")
    found = Found()
    for path in walk(in_cache(folder), DEEPEST):
        try:
            if part := part_of(path):
                found.add(part, path)
        except ModelError as error:
            found.faults.append(str(error))
    return found


def walk(folder: Path, depth: int) -> Iterator[Path]:
    """Files, and folders that are a model of their own, whose files are not looked at."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            inner = in_cache(path)
            if (inner / "config.json").exists():
                yield inner
            elif depth:
                yield from walk(path, depth - 1)
        elif path.suffix in FILES or path.name == ARCHITECTURE_NAME:
            yield path


def part_of(path: Path) -> Part | None:
    """Raises ModelError for a file or folder that can't be read."""
    if path.name == ARCHITECTURE_NAME:
        return "architecture"
    if path.is_dir():
        kind = read_json(path / "config.json").get("model_type")
        if kind == "llama":
            return "delta" if is_delta(open_llama(path)) else "llama"
        return "blip2" if kind == "blip-2" else None
    names = open_weights(path)
    return next((part for part, mark in MARKS.items() if mark in names), None)


def one_each(folder: Path, found: Found) -> Found:
    """One of each part, the language model and the projection of one width. Raises ModelError where that leaves several."""
    models = [open_llama(path) for part in BODIES for path in found.paths.get(part, ())]
    widths = {model.folder: model.config.hidden_size for model in models}
    widths |= {path: open_weights(path)[PROJECTION[0]].shape[0] for path in found.paths.get("checkpoint", ())}
    if kind_found(found) != "minigpt4":
        found.paths.pop("delta", None)
        newer = [model.folder for model in models if model.config.max_position_embeddings >= LLAMA2_CONTEXT]
        found.paths["llama"] = [path for path in found.paths.get("llama", []) if path in newer]
    shared = set(widths.values())
    for part in OF_ONE_WIDTH:
        if part in found.paths:
            shared &= {widths[path] for path in found.paths[part]}
    paths = {part: [path for path in given if not shared or widths.get(path, 0) in {0, *shared}] for part, given in found.paths.items()}
    paths["llama"] = prefer_merged(models, paths.get("llama", []))
    if any(model.config.vocab_size == V0_WORDS for model in models if model.folder in paths["llama"]):
        paths.pop("delta", None)
    if holds_vit(Found(paths)) and "vit" in paths:
        paths["blip2"] = [path for path in paths["blip2"] if path.is_file()] or paths["blip2"]
    if holds_vit(Found(paths)):
        paths.pop("vit", None)
    for given in paths.values():
        if len(given) > 1:
            raise ModelError(f"{folder} holds {given[0]} and {given[1]}, and either could be meant: leave one in it.")
    return Found({part: given for part, given in paths.items() if given}, found.faults)


def kind_found(found: Found) -> Kind:
    """Which model the one checkpoint makes; the first MiniGPT-4 where there is none, or several."""
    checkpoints, architectures = found.paths.get("checkpoint", []), found.paths.get("architecture", [])
    if len(checkpoints) != 1:
        return "minigpt4"
    return kind_of(checkpoints[0], read_architecture(architectures[0]) if architectures else None)


def prefer_merged(models: list[HubLlama], given: list[Path]) -> list[Path]:
    """Vicuna v0 that is merged already, which its 32,001 words tell, before LLaMA."""
    merged = [model.folder for model in models if model.folder in given and model.config.vocab_size == V0_WORDS]
    return merged or given
