"""Brings a model folder onto its device for the worker. torch is imported here and not before, so that the server listens at once."""

from __future__ import annotations

import glob
import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import structlog

from engine.core.worker import Loaded, ServedEngine
from engine.errors import ModelError, StartError
from engine.metrics import Metrics
from engine.models.card import Card, ChatTemplate
from engine.models.detail import Detail
from engine.request import Request
from engine.weights.load_times import remember

if TYPE_CHECKING:
    import torch

    from engine.core.engine import Engine

FINGERPRINT = 16  # hexadecimal digits
ENGINE = Path(__file__).parent.parent
ENCODERS = (ENGINE / "models", ENGINE / "weights" / "pocket")  # our own files that an encoded picture depends on

log = structlog.get_logger()


@dataclass(frozen=True)
class EngineOptions:
    """Where and how a model is to run. Several `devices` share its layers; none = the first GPU, else the CPU."""

    devices: tuple[str, ...] = ()
    quantize: Literal["auto", "none", "int8", "4bit"] = "auto"
    capability: tuple[int, int] | None = None  # compute as a card of this capability would
    rows: int | None = None  # answers at once; None = as the device allows
    tokens: int | None = None  # of all conversations together that are kept; None = as memory allows
    memory: int | None = None  # bytes of each card that this process takes at most; None = all that is free
    exact: bool = False  # fp32 throughout, nothing quantised; on a CPU only
    detail: Detail | None = None  # how closely pictures are looked at; None = as the device allows
    adapters: Mapping[str, Path] = field(default_factory=dict)  # folders of LoRA adapters by name


@dataclass(frozen=True)
class Built:
    """An engine, how many answers it writes at once, and what prepares requests for it in any thread."""

    engine: ServedEngine
    rows: int
    prepare: Callable[[Request], Request]
    detail: str = ""  # how closely pictures are looked at, where the model leaves a choice
    eye_pixels: int | None = None
    explanation_seconds: Callable[[], float | None] | None = None  # see `Loaded`


class Build(Protocol):
    """Builds an engine around the model of a folder."""

    def __call__(
        self, folder: Path, devices: Sequence[torch.device], options: EngineOptions, pictures: Path | None, metrics: Metrics | None, /
    ) -> Built: ...


def build_native(
    folder: Path, devices: Sequence[torch.device], options: EngineOptions, pictures: Path | None, metrics: Metrics | None
) -> Built:
    """Of a family that we compute ourselves."""
    engine = build(folder, devices, options, pictures, metrics)
    detail = getattr(engine.model, "detail", None) or ""
    return Built(
        engine,
        engine.capacity.rows,
        engine.preprocessor.prepare,
        detail,
        engine.model.eye_pixels,
        lambda: engine.explanations.last_seconds,
    )


def load_engine(
    folder: Path,
    options: EngineOptions,
    record: Path,
    pictures: Path | None = None,
    metrics: Metrics | None = None,
    build: Build = build_native,
) -> Loaded:
    """Loads the model in `folder`; `record` is the file of load times, which is updated; `pictures` is the folder of encoded pictures.

    Raises ModelError, and StartError for a device that is not here.
    """
    begun = time.monotonic()
    import torch

    from engine.device.devices import cap_memory, default_device, find_device, held_bytes
    from engine.device.heap import return_freed
    from engine.device.out_of_memory import with_memory

    torch.cuda.empty_cache()  # what an engine that died in this process left to its allocator
    devices = [find_device(name) for name in options.devices] or [default_device()]
    if options.exact and any(device.type != "cpu" for device in devices):
        raise StartError("--dtype float32 is for CPUs: give --device cpu as well, or leave it out.")
    if options.memory is not None:
        cap_memory(devices, options.memory)
    too_large = ModelError(f"{folder.name} takes more memory than there is here. Choose fewer --tokens or --rows, or --quantize 4bit.")
    built = with_memory(lambda: build(folder, devices, options, pictures, metrics), too_large, attempts=1)
    return_freed()
    seconds = time.monotonic() - begun
    remember(record, folder, seconds)
    log.info("model ready", model=folder.name, device=str(devices[0]), rows=built.rows, seconds=round(seconds, 1))
    return Loaded(
        built.engine,
        ", ".join(map(str, devices)),
        lambda: sum(map(held_bytes, set(devices))),
        built.rows,
        built.prepare,
        built.detail,
        built.eye_pixels,
        built.explanation_seconds,
    )


def build(
    folder: Path, devices: Sequence[torch.device], options: EngineOptions, pictures: Path | None = None, metrics: Metrics | None = None
) -> Engine:
    """The model of `folder` on these devices, and an engine around it."""
    from engine.core.build import build_engine
    from engine.weights.loader import load

    model = load(
        folder,
        devices[0],
        options.exact,
        others=devices[1:],
        quantize=options.quantize,
        capability=options.capability,
        memory=options.memory,
        detail=options.detail,
        adapters=options.adapters,
    )
    return build_engine(
        model,
        rows=options.rows,
        tokens=options.tokens,
        memory=options.memory,
        capability=options.capability,
        pictures=None if pictures is None else pictures / looked_at(model.card, devices[0], options),
        metrics=metrics,
        progress=log.info,
    )


def looked_at(card: Card, device: torch.device, options: EngineOptions) -> str:
    """What tells apart encodings of one picture by one hub's model: the device decides on tiles, the options on pixels. Ours need none."""
    return f"{device.type}-{options.detail or 'default'}-{options.exact}" if isinstance(card.template, ChatTemplate) else ""


def picture_folder(root: Path, model: Path) -> Path:
    """Where encoded pictures of this very model are kept: a new folder as soon as a file of the model, or of our encoders, changes."""
    ours = [path for folder in ENCODERS for path in sorted(folder.rglob("*")) if path.suffix != ".pyc"]
    files = [path for path in (*sorted(model.iterdir()), *ours) if path.is_file()]
    facts = "".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}\n" for path in files)
    return root / f"{model.name}-{hashlib.sha256(facts.encode()).hexdigest()[:FINGERPRINT]}"


def remove_outdated(root: Path, model: Path) -> None:
    """Removes encoded pictures of earlier imports under this model's name, and of earlier versions of Gander."""
    for folder in root.glob(f"{glob.escape(model.name)}-{'[0-9a-f]' * FINGERPRINT}"):
        if folder != picture_folder(root, model):
            shutil.rmtree(folder, ignore_errors=True)
