"""The pictures that training never sees, fetched as packages: OpenMoji, Tux Paint's photo stamps, scikit-image's and scikit-learn's photos.

None of them is part of Gander: OpenMoji is CC BY-SA 4.0, the stamps are under the licences that their package lists, the
photos are public domain or CC0 (scikit-image) and CC BY (scikit-learn).
"""

from __future__ import annotations

import csv
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from engine.atomic_write import replacing_folder
from engine.errors import DownloadError
from engine.evaluation.names import noun_phrase
from engine.hub.packages import Package, Progress, Registry, fetch

OPENMOJI = Package(
    registry="npm",
    name="openmoji",
    version="17.0.0",
    filename="openmoji-17.0.0.tgz",
    sha256="55ee7d13485dec86e9f38c1f3a645a13382d33ff97c0cd845ee824b0aef45e68",
    size=4_339_458,
)
STAMPS = Package(
    registry="apt",
    name="tuxpaint-stamps-default",
    version="2022.06.04-1",
    filename="tuxpaint-stamps-default_2022.06.04-1_all.deb",
    sha256="6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    size=160_880_444,
)
# Wheels of one platform everywhere, because only the photos in them are read.
ONE_PLATFORM = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11")
SCIKIT_IMAGE = Package(
    registry="pip",
    name="scikit-image",
    version="0.26.0",
    filename="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    size=13_711_217,
    options=ONE_PLATFORM,
)
SCIKIT_LEARN = Package(
    registry="pip",
    name="scikit-learn",
    version="1.9.1",
    filename="scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    sha256="52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
    size=9_315_422,
    options=ONE_PLATFORM,
)

PERSONS = ("person", "person-role")
EMOJI_SIDE = 256  # pixels
EMOJI_GROUPS = frozenset({"animals-nature", "food-drink", "objects", "travel-places", "activities"})
# Marks and scenes rather than things: nobody would answer "what is it?" with their names.
EMOJI_LEFT_OUT = frozenset(
    {"sky-weather", "time", "place-map", "place-other", "place-geographic", "transport-sign", "event", "money", "mail"}
)
# Drawings rather than photographs, or no single thing.
STAMPS_LEFT_OUT = (
    "symbols", "people", "naturalforces", "military", "space", "seasonal", "clothes/t_", "town/roadsigns", "town/flags", "town/monuments",
)  # fmt: skip
IMAGES = "skimage/data"


@dataclass(frozen=True)
class Thing:
    """A cutout of one thing and its noun phrase; `group` is where its package files it, such as "animals/birds"."""

    name: str
    group: str
    load: Callable[[], Image.Image]  # RGBA, cropped to the thing


@dataclass(frozen=True)
class HeldOut:
    """The packages' pictures, each package fetched and unpacked on first use. `source` is a folder to take packages from, offline.

    Reading one raises DownloadError when its package can't be had here.
    """

    downloads: Path
    source: Path | None = None
    progress: Progress | None = None

    @cached_property
    def emoji(self) -> list[Thing]:
        """OpenMoji drawings of things, by its own annotations of one or two words."""
        rows = [row for row in self._emoji_table if _is_thing(row)]
        return [Thing(row["annotation"], row["subgroups"], partial(_render, self._emoji_file(row))) for row in rows]

    @cached_property
    def people(self) -> list[Thing]:
        """OpenMoji drawings of persons, of no particular skin tone."""
        rows = [row for row in self._emoji_table if row["subgroups"] in PERSONS and not row["skintone"]]
        return [Thing(row["annotation"], row["subgroups"], partial(_render, self._emoji_file(row))) for row in rows]

    @cached_property
    def stamps(self) -> list[Thing]:
        """Photo cutouts whose caption is a noun phrase, by folder and name."""
        folder = self._unpacked(STAMPS) / "usr/share/tuxpaint/stamps"
        photos = [path for path in sorted(folder.rglob("*.png")) if _is_photo(path.relative_to(folder))]
        named = [(path, name) for path in photos if (name := _caption(path)) is not None]
        return [Thing(name, path.parent.relative_to(folder).as_posix(), partial(_cutout, path)) for path, name in named]

    @cached_property
    def faces(self) -> list[Image.Image]:
        """The hundred 25 × 25 faces of scikit-image's subset of Labeled Faces in the Wild, enlarged."""
        pixels = np.load(self._unpacked(SCIKIT_IMAGE) / IMAGES / "lfw_subset.npy")[:100]  # the second hundred shows no faces
        return [
            Image.fromarray((face * 255).astype(np.uint8)).resize((250, 250), Image.Resampling.BICUBIC).convert("RGB") for face in pixels
        ]

    def photo(self, name: str) -> Image.Image:
        """A photo of scikit-image by its file's name, such as "chelsea.png"."""
        return Image.open(self._unpacked(SCIKIT_IMAGE) / IMAGES / name).convert("RGB")

    def flower(self) -> Image.Image:
        """scikit-learn's photo of a dahlia."""
        return Image.open(self._unpacked(SCIKIT_LEARN) / "sklearn/datasets/images/flower.jpg").convert("RGB")

    @cached_property
    def _emoji_table(self) -> list[dict[str, str]]:
        with (self._unpacked(OPENMOJI) / "package/data/openmoji.csv").open(encoding="utf-8", newline="") as table:
            return list(csv.DictReader(table))

    def _emoji_file(self, row: dict[str, str]) -> Path:
        return self._unpacked(OPENMOJI) / f"package/color/svg/{row['hexcode']}.svg"

    def _unpacked(self, package: Package) -> Path:
        """The package's contents, kept beside it for the next run."""
        folder = self.downloads / f"{package.name}-{package.version}"
        if not folder.is_dir():
            file = fetch(package, self.downloads, self.source, self.progress)
            with replacing_folder(folder) as filling:
                UNPACK[package.registry](file, filling)
        return folder


def _unzip(file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)  # noqa: S202 (of a pinned sha256)


def _untar(file: Path, folder: Path) -> None:
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")


def _undeb(file: Path, folder: Path) -> None:
    try:
        subprocess.run(["dpkg-deb", "-x", file, folder], check=True)  # noqa: S607 (wherever the system keeps it)
    except FileNotFoundError:
        raise DownloadError(f"{file.name} is a Debian package, but there is no dpkg-deb here to unpack it. Install dpkg.") from None


UNPACK: dict[Registry, Callable[[Path, Path], None]] = {"pip": _unzip, "npm": _untar, "apt": _undeb}


def _render(svg: Path) -> Image.Image:
    return _cropped(Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_path=str(svg), width=EMOJI_SIDE, height=EMOJI_SIDE))))


def _cutout(path: Path) -> Image.Image:
    return _cropped(Image.open(path))


def _cropped(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGBA")
    return picture.crop(picture.getchannel("A").getbbox())


def _is_thing(row: dict[str, str]) -> bool:
    named = len(row["annotation"].split()) <= 2 and "face" not in row["annotation"]
    return row["group"] in EMOJI_GROUPS and row["subgroups"] not in EMOJI_LEFT_OUT and not row["skintone"] and named


def _is_photo(path: Path) -> bool:
    return "cartoon" not in path.parts and not path.as_posix().startswith(STAMPS_LEFT_OUT)


def _caption(picture: Path) -> str | None:
    text = picture.with_suffix(".txt")
    return noun_phrase(text.read_text("utf-8", "replace").split("\n")[0]) if text.is_file() else None
