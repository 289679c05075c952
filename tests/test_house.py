"""The tree reads as it is described: rooms of a size to look through, no import circles, one meaning a class name, a true table."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "bot", "adapters")
MOST_MODULES = 25  # in one folder: what is found by looking, as httpx's and starlette's flat floors are
PROSE = {"chat", "chunks", "completions", "durable", "edits", "fairest", "first", "jobs", "or"}  # of the drawing
EMPTY = {"__init__", "__main__"}


def modules(package: str) -> dict[str, Path]:
    """All of a package's modules by their dotted names."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in (ROOT / package).rglob("*.py")
    }


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of `known` that a file imports, wherever in it, for its types or at run time."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def room(name: str, path: Path) -> str:
    """A module's folder; a file on a package's own floor is a room of its own."""
    return ".".join(path.relative_to(ROOT).parent.parts) if path.parent.parent != ROOT or path.name == "__init__.py" else name


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_holds_more_than_can_be_looked_through(package: str) -> None:
    sizes = Counter(path.parent for path in modules(package).values() if path.stem not in EMPTY)
    assert {str(folder.relative_to(ROOT)): size for folder, size in sizes.items() if size > MOST_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_import_each_other_one_way(package: str) -> None:
    known = modules(package)
    rooms: dict[str, set[str]] = {}
    for name, path in known.items():
        if path.stem != "__main__":
            here = rooms.setdefault(room(name, path), set())
            here |= {there for other in imported(path, known) if (there := room(other, known[other])) != room(name, path)}
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        pytest.fail(f"import circle between folders: {' ← '.join(error.args[1])}")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_class_name_means_one_thing(package: str) -> None:
    places: dict[str, list[str]] = {}
    for name, path in modules(package).items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_table_and_the_drawing_name_what_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:adapters|bot|deploy|docs|engine|tests)/[\w./-]*)", text))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()
    drawing = text.partition("## Where things are")[2].partition("Imports point")[0]
    rooms = set(re.findall(r"\b[a-z_]+\b", drawing)) - PROSE
    assert {"store", "dispatch", "delivery", "runner"} <= rooms
    there = {path.stem for package in PACKAGES for path in (ROOT / package, *(ROOT / package).iterdir())}
    assert rooms - there == set()
