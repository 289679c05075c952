"""What the frozen parts of a model make of a picture, computed once and kept: in memory, or on disk for the next run too."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.atomic_write import replacing
from engine.errors import PictureError
from engine.training.alignment.dataset import StoredPicture

if TYPE_CHECKING:
    from engine.training.alignment.connector import Connector


@dataclass(frozen=True)
class Features:
    """One picture, as the trained parts read it: tensors on the host, by names that its connector gives them.

    `soft` is how many tokens of the prompt it takes, `words` what the model says of it, `grid` as in `EncodedPicture`.
    """

    tensors: Mapping[str, Tensor]
    soft: int
    words: str = ""
    grid: tuple[int, int] | None = None

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())


@dataclass
class FeatureStore:
    """Computes the features of pictures that it has not seen yet, a batch at a time, and keeps all.

    A picture is always computed in the batch that it first comes in, so that a run that goes on after a kill computes the same; to
    that end `batches` gives, for every picture's key, the pictures of that batch. With `folder` they lie there, a file each.
    """

    connector: Connector
    batches: Mapping[str, Sequence[StoredPicture]]
    folder: Path | None = None
    kept: dict[str, Features] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    computed: int = 0  # pictures
    seconds: float = 0.0  # spent on that

    def read(self, pictures: Sequence[StoredPicture]) -> list[Features]:
        """Raises PictureError for one that is gone or broken meanwhile."""
        for picture in pictures:
            if not self.has(picture):
                self.compute(self.batches.get(picture.key, (picture,)))
            if reason := self.broken.get(picture.key):
                raise PictureError(reason)
        return [self.kept[picture.key] if self.folder is None else read_features(self.path(picture)) for picture in pictures]

    def has(self, picture: StoredPicture) -> bool:
        if picture.key in self.broken:
            return True
        return picture.key in self.kept if self.folder is None else self.path(picture).exists()

    def open(self, picture: StoredPicture) -> Image.Image | None:
        """None for one that is broken, which does not spoil its batch."""
        try:
            return picture.open()
        except PictureError as error:
            self.broken[picture.key] = f"broken picture: {error}"
            return None

    def compute(self, pictures: Sequence[StoredPicture]) -> None:
        began = time.perf_counter()
        opened = {picture: image for picture in pictures if (image := self.open(picture)) is not None}
        for picture, features in zip(opened, self.connector.freeze(list(opened.values())) if opened else (), strict=True):
            if self.folder is None:
                self.kept[picture.key] = features
            else:
                write_features(self.path(picture), features)
        self.computed += len(pictures)
        self.seconds += time.perf_counter() - began

    @property
    def nbytes(self) -> int:
        """What the features take that are in memory, or on disk."""
        if self.folder is None:
            return sum(features.nbytes for features in self.kept.values())
        return sum(file.stat().st_size for file in self.folder.rglob("*.safetensors"))

    def path(self, picture: StoredPicture) -> Path:
        assert self.folder is not None  # noqa: S101  # asked of features on disk only
        return self.folder / picture.key[:2] / f"{picture.key}.safetensors"


def write_features(path: Path, features: Features) -> None:
    told = {"soft": features.soft, "words": features.words, "grid": features.grid}
    with replacing(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in features.tensors.items()}, part, metadata={"features": json.dumps(told)})


def read_features(path: Path) -> Features:
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["features"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    return Features(tensors, told["soft"], told["words"], tuple(told["grid"]) if told["grid"] else None)
