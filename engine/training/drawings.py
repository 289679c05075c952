"""Makes the training sprites from drawings in packages.

`drawings.tsv` lists every drawing that is used: style, its key in the package, its name. Licences and attributions
are in the bridge's card, `engine/weights/pocket/README.md`. OpenMoji is left out, because the evaluation uses it.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import resvg_py
from PIL import Image

from engine.hub.packages import Package, Progress, fetch
from engine.images.decode import quiet_pillow
from engine.models.pocket.vocabulary import drawn
from engine.training.sprites import write_sprites

SIDE = 112  # pixels, the longer side of a sprite
QUALITY = 88  # of WebP

ICONS = {
    "noto": Package(
        registry="npm", name="@iconify-json/noto", version="1.2.9", filename="iconify-json-noto-1.2.9.tgz", size=3_102_958,
        sha256="3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    ),
    "twemoji": Package(
        registry="npm", name="@iconify-json/twemoji", version="1.2.5", filename="iconify-json-twemoji-1.2.5.tgz", size=1_555_888,
        sha256="19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    ),
    "emojione": Package(
        registry="npm", name="@iconify-json/emojione", version="1.2.3", filename="iconify-json-emojione-1.2.3.tgz", size=687_690,
        sha256="26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
    ),
    "fluent-emoji": Package(
        registry="npm", name="@iconify-json/fluent-emoji", version="1.2.7", filename="iconify-json-fluent-emoji-1.2.7.tgz", size=14_323_330,
        sha256="8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
    ),
    "fluent-emoji-flat": Package(
        registry="npm", name="@iconify-json/fluent-emoji-flat", version="1.2.6", filename="iconify-json-fluent-emoji-flat-1.2.6.tgz",
        size=1_172_438, sha256="7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    ),
}  # fmt: skip
FLUENT_3D = Package(
    registry="npm", name="@lobehub/fluent-emoji-3d", version="1.1.0", filename="lobehub-fluent-emoji-3d-1.1.0.tgz", size=15_792_027,
    sha256="c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
)  # fmt: skip
OPENCLIPART = Package(
    registry="apt", name="openclipart-png", version="1:0.18+dfsg-19", filename="openclipart-png_1%3a0.18+dfsg-19_all.deb",
    size=130_910_028, sha256="f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
)  # fmt: skip

Render = Callable[[str], Image.Image]
"""A drawing's key in its package → RGBA."""


def make_sprites(path: Path, downloads: Path, progress: Progress | None = None) -> int:
    """Fetches the packages (180 MB) into `downloads` and writes the sprite file. Returns how many sprites it holds.

    Raises DownloadError for a package that can't be had.
    """
    quiet_pillow()  # clip art of 13,000 pixels a side is meant to be there
    numbers = {name: number for number, name in enumerate(drawn())}
    sprites: list[tuple[str, int, bytes]] = []
    for style, rows in listed().items():
        with TemporaryDirectory() as folder:
            render = _renderer(style, downloads, Path(folder), progress)
            sprites += [(style, numbers[name], shrunk(render(key))) for key, name in rows]
    write_sprites(path, sprites)
    return len(sprites)


def listed() -> dict[str, list[tuple[str, str]]]:
    """Style → (key, name) of its drawings."""
    table: dict[str, list[tuple[str, str]]] = {}
    for line in files("engine.training").joinpath("drawings.tsv").read_text(encoding="utf-8").splitlines():
        style, key, name = line.split("\t")
        table.setdefault(style, []).append((key, name))
    return table


def shrunk(image: Image.Image) -> bytes:
    """The drawing, cropped and scaled down to at most 112 pixels, as WebP."""
    image = image.convert("RGBA")
    image = image.crop(image.getchannel("A").getbbox())
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=QUALITY, method=4)
    return data.getvalue()


def _renderer(style: str, downloads: Path, folder: Path, progress: Progress | None) -> Render:
    if style in ICONS:
        return icons_of(fetch(ICONS[style], downloads, progress=progress))
    if style == "openclipart":
        subprocess.run(["dpkg-deb", "-x", fetch(OPENCLIPART, downloads, progress=progress), folder], check=True)  # noqa: S607
        return lambda key: Image.open(folder / "usr/share/openclipart/png" / key)
    with tarfile.open(fetch(FLUENT_3D, downloads, progress=progress)) as archive:
        archive.extractall(folder, filter="data")
    return lambda key: Image.open(folder / f"package/assets/{key}.webp")


def icons_of(archive: Path) -> Render:
    """Iconify's JSON holds each drawing as the inside of an SVG element."""
    with tarfile.open(archive) as package:
        member = package.extractfile("package/icons.json")
        icons: dict[str, Any] = json.load(member) if member else {}

    def render(key: str) -> Image.Image:
        svg = "".join(_svg(icons, icons["icons"][key]))
        return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=2 * SIDE))))

    return render


def _svg(icons: dict[str, Any], icon: dict[str, Any]) -> Iterator[str]:
    left, top = icon.get("left", 0), icon.get("top", 0)
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    yield '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    yield f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{icon["body"]}</svg>'
