"""Takes checkpoints out of the zip archives that Google Drive and browsers put them into; nothing is written beside the originals."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine.errors import WeightsError

WEIGHTS = (".pth", ".pt", ".bin", ".safetensors")
TORCH = "data.pkl"  # in every file of PyTorch's, which are zip archives, too


@contextmanager
def unpacked(parts: Mapping[str, Path], out: Path) -> Iterator[dict[str, Path]]:
    """The same paths, archives replaced by what is in them: beside `out`, and gone once the block succeeds."""
    folder = out.with_name(f".{out.name}.unpacked")
    yield {part: take_out(path, folder) if path.is_file() else path for part, path in parts.items()}
    shutil.rmtree(folder, ignore_errors=True)


def take_out(path: Path, folder: Path) -> Path:
    """The one weight file in an archive, with the archive's own time, so that a stopped import goes on; any other file itself."""
    try:
        if not zipfile.is_zipfile(path):
            return path
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if entry.filename.endswith(WEIGHTS)]
            if any(name.rpartition("/")[2] == TORCH for name in archive.namelist()):
                return path
            if len(inside) != 1:
                raise WeightsError(f"{path} is an archive of {len(inside)} weight files. Unpack it, and give the file or folder in it.")
            target = folder / Path(inside[0].filename).name
            if not (target.is_file() and target.stat().st_size == inside[0].file_size):
                folder.mkdir(parents=True, exist_ok=True)
                with archive.open(inside[0]) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except zipfile.BadZipFile as error:
        raise WeightsError(f"{path} is a damaged archive: {error}. Download it again.") from None
    os.utime(target, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    return target
