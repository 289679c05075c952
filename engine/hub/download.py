"""Fetches one large file so that a cut costs nothing: what came stays, also over a kill, and its sha256 is taken while it comes.

The hub's own client throws away what it has of a file when it ends, and looks at sizes alone. Proxies are those of the environment.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import httpx2
from filelock import FileLock
from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # public, by a stub that hides it
from huggingface_hub.utils.tqdm import tqdm

from engine.errors import DownloadError

PART = ".gander-part"
ATTEMPTS = 5  # in a row that bring nothing
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 30.0
PIECE = 1 << 18  # bytes written at once
PASSING = {408, 425, 429, 500, 502, 503, 504}


def download(
    url: str, target: Path, size: int | None, sha256: str | None, headers: Mapping[str, str] | None = None, name: str = ""
) -> None:
    """Makes `target` of what `url` gives, with redirections followed; nothing is done where it is there already. People are told `name`.

    Raises DownloadError for a file of another size or sum than was said, httpx2.HTTPError and OSError for what else goes wrong.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    with FileLock(f"{part}.lock"):
        if target.exists():
            return
        with httpx2.Client(follow_redirects=True, timeout=TIMEOUT_SECONDS) as client, part.open("a+b") as file:
            arriving = Arriving(file, name or target.name, size)
            try:
                fetch_rest(client, url, dict(headers or {}), arriving)
            finally:
                arriving.bar.close()
        arriving.check(part, sha256)
        part.replace(target)
        Path(f"{part}.lock").unlink(missing_ok=True)  # who waits for it finds the file


class Arriving:
    """A file that is here in part, and the sum of what is."""

    def __init__(self, file: IO[bytes], name: str, size: int | None) -> None:
        self.file, self.name, self.size = file, name, size
        self.sum = hashlib.sha256()
        file.seek(0)
        while piece := file.read(PIECE):
            self.sum.update(piece)
        self.here = file.tell()
        self.bar: Any = tqdm(total=size, initial=self.here, unit="B", unit_scale=True, desc=name)  # type: ignore[no-untyped-call]

    @property
    def whole(self) -> bool:
        return self.size is not None and self.here >= self.size

    def begin_again(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.sum, self.here = hashlib.sha256(), 0
        self.bar.reset()

    def add(self, piece: bytes) -> None:
        self.file.write(piece)
        self.sum.update(piece)
        self.here += len(piece)
        self.bar.update(len(piece))

    def check(self, part: Path, sha256: str | None) -> None:
        """Raises DownloadError, and removes what came, where it is not what was said."""
        fault = ""
        if self.size is not None and self.here != self.size:
            fault = f"came with {self.here:,} bytes instead of {self.size:,}"
        elif sha256 and self.sum.hexdigest() != sha256:
            fault = f"came damaged (sha256 {self.sum.hexdigest()[:12]}… instead of {sha256[:12]}…)"
        if fault:
            part.unlink(missing_ok=True)
            raise DownloadError(f"{self.name} {fault}. Run the command again, or set HF_ENDPOINT to another mirror.")


def fetch_rest(client: httpx2.Client, url: str, headers: dict[str, str], arriving: Arriving) -> None:
    """Asks for what is missing, again where the connection breaks, until it is here."""
    vain = 0
    while not arriving.whole:
        before = arriving.here
        try:
            fetch_once(client, url, headers, arriving)
            if arriving.size is None or arriving.here == before:
                return
        except (httpx2.TransportError, Busy) as error:
            vain = 0 if arriving.here > before else vain + 1
            if vain == ATTEMPTS:
                raise error.reason if isinstance(error, Busy) else error from None
            time.sleep(PAUSE_SECONDS)


class Busy(Exception):
    """A server that says: not now."""

    def __init__(self, reason: httpx2.HTTPStatusError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def fetch_once(client: httpx2.Client, url: str, headers: dict[str, str], arriving: Arriving) -> None:
    asked = headers | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={arriving.here}-"} if arriving.here else {})
    with client.stream("GET", url, headers=asked) as response:
        if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
            return arriving.begin_again()
        if response.status_code in PASSING:
            raise Busy(httpx2.HTTPStatusError(f"HTTP {response.status_code}", request=response.request, response=response))
        hf_raise_for_status(response)
        if arriving.here and response.status_code != httpx2.codes.PARTIAL_CONTENT:
            arriving.begin_again()
        for piece in response.iter_bytes(PIECE):
            arriving.add(piece)
            if arriving.size is not None and arriving.here > arriving.size:
                return None
    return None
