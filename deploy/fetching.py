"""Between pip and a person: reads what pip writes and shows what is being fetched, how much of it there is, and how far it has come.

`pip install --progress-bar raw … | python deploy/fetching.py`. On a terminal one line moves; elsewhere each package is one line.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO
from urllib.parse import unquote

FETCHED = re.compile(r"\s*Downloading (?:\S*/)?(?P<file>[^\s/]+?\.(?:whl|tar\.gz|zip)) \((?P<size>[\d.,]+ ?\w+)\)")
PROGRESS = re.compile(r"Progress (?P<done>\d+) of (?P<whole>\d+)")
KEPT = re.compile(r"\s*Using cached \S+\.(?:whl|tar\.gz|zip)(?: \(|$)")
INSTALLING = re.compile(r"Installing collected packages: (?P<names>.+)")
BAR = 20  # columns


def shown(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """What a person sees, and whether it stays: a line that does not is written over by the next."""
    package, kept = "", 0
    for line in lines:
        if fetched := FETCHED.match(line):
            package = f"{called(fetched['file'])}, {fetched['size']}"
            yield package, False
        elif progress := PROGRESS.match(line):
            done, whole = int(progress["done"]), int(progress["whole"])
            if package and whole:
                part = min(done / whole, 1.0)
                yield f"{package} {'#' * round(part * BAR):.<{BAR}} {part:4.0%}", False
                if done >= whole:
                    yield package, True
                    package = ""
        elif KEPT.match(line):
            kept += 1
        elif installing := INSTALLING.match(line):
            if package:
                yield package, True
            yield installed(installing["names"].count(",") + 1, kept), True
        elif package and not line.startswith(" "):  # an older pip tells no progress: the next line means that it is here
            yield package, True
            package = ""


def installed(packages: int, kept: int) -> str:
    return f"installing {packages} packages{f' ({kept} of them were fetched before)' if kept else ''} …"


def called(file: str) -> str:
    """A package's name and version, from the name of its file."""
    name, _, rest = unquote(file).partition("-")
    return f"{name} {re.split(r'-|[.]tar[.]gz|[.]zip', rest, maxsplit=1)[0]}"


def show(lines: Iterable[str], out: TextIO, columns: int) -> None:
    moving, last = out.isatty(), ""
    for text, stays in shown(lines):
        if moving:
            out.write(f"\r\033[K  {text[: columns - 3]}" + ("\n" if stays else ""))
        elif stays and text != last:
            out.write(f"  {text}\n")
        last = text if stays else last
        out.flush()


if __name__ == "__main__":
    show(sys.stdin, sys.stdout, shutil.get_terminal_size().columns)
