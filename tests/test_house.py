"""The tree reads as it is described: rooms of a size to look through, no import circles, one meaning a class name, a true table."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "bot", "adapters")
MOST_MODULES = 25  # in one folder: what is found by looking, as httpx's and starlette's flat floors are
PROSE = {"chat", "chunks", "completions", "durable", "edits", "fairest", "first", "jobs", "or"}  # of the drawing
EMPTY = {"__init__", "__main__"}
LITTLE = 25  # statements in functions: a module of fewer needs no test of its own name
TESTED_BY = {  # modules, or all of a folder, that have none, and which test reaches them
    "adapters/bench": "adapters/bench/test_measure.py",
    "adapters/cli": "adapters/cli/test_commands.py",
    "adapters/evaluation/reading_pages.py": "adapters/evaluation/test_reading.py",
    "adapters/services.py": "adapters/test_run.py",
    "adapters/telegram/markdown.py": "adapters/telegram/test_formatting.py",
    "adapters/telegram/platform.py": "adapters/telegram/test_conformance.py",
    "adapters/web/adapter.py": "adapters/web/browser/test_page.py",
    "adapters/web/platform.py": "adapters/web/test_conformance.py",
    "adapters/web/walls.py": "adapters/web/browser/test_wall.py",
    "bot/access/policy_store.py": "bot/commands/test_setup.py",
    "bot/answers/generate.py": "bot/test_event_handler.py",
    "bot/answers/refusals.py": "bot/access/test_rate_limits.py",
    "bot/arrival.py": "bot/questions/test_arrival_order.py",
    "bot/command_actions.py": "bot/test_event_handler.py",
    "bot/command_registry.py": "bot/commands/test_registry.py",
    "bot/commands/command.py": "bot/commands/test_registry.py",
    "bot/config/schema.py": "bot/config/test_load.py",
    "bot/dispatch/save_answers.py": "bot/dispatch/test_dispatcher.py",
    "bot/delivery/replies.py": "bot/test_event_handler.py",
    "bot/engines/discovery.py": "engine/server/test_discovery.py",
    "bot/insight/beam_list.py": "bot/insight/test_how_page.py",
    "bot/media/film_worker.py": "bot/media/test_films.py",
    "bot/questions/zoom_grid.py": "bot/looking/test_closer.py",
    "adapters/evaluation/small_things.py": "adapters/evaluation/test_closer.py",
    "bot/reading/recognition.py": "bot/reading/test_picture_words.py",
    "bot/media/child_process.py": "bot/media/test_decoder_pool.py",
    "bot/maintenance": "adapters/cli/test_database.py",
    "engine/bench": "engine/bench/test_run.py",
    "engine/cluster/deployment.py": "cluster/test_cluster.py",
    "engine/cluster/metrics.py": "engine/cluster/test_entrance.py",
    "engine/commands": "engine/commands/test_bench.py",
    "engine/core": "engine/core/test_engine.py",
    "engine/evaluation": "engine/commands/test_evaluate.py",
    "engine/fallback": "engine/fallback/test_engine.py",
    "engine/hub/download.py": "engine/hub/test_listing.py",
    "engine/kernels/cpu": "engine/kernels/cpu/test_step.py",
    "engine/kernels/gpu": "engine/kernels/gpu/test_step.py",
    "engine/kv_cache/cache.py": "engine/core/test_engine.py",
    "engine/models/llama/config.py": "engine/models/llama/test_rope.py",
    "engine/models/pocket": "engine/models/pocket/test_pocket.py",
    "engine/models/pretrained/places.py": "engine/models/pretrained/test_model.py",
    "engine/prompts": "engine/core/test_offline.py",
    "engine/runner": "engine/core/test_engine.py",
    "engine/training": "engine/training/test_run.py",
    "engine/training/alignment": "engine/training/alignment/test_run.py",
    "engine/training/alignment/formats": "engine/training/alignment/formats/test_reading.py",
    "engine/weights": "engine/core/test_startup.py",
    "engine/rounding/layer_rounding.py": "engine/rounding/test_round_model.py",
    "engine/rounding/student.py": "engine/rounding/test_tune_model.py",
}


@cache
def modules(package: str) -> dict[str, Path]:
    """All of a package's modules by their dotted names."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in (ROOT / package).rglob("*.py")
    }


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of `known` that a file imports, wherever in it, for its types or at run time."""
    for node in ast.walk(parsed(path)):
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
        for node in parsed(path).body:
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


def statements(path: Path) -> int:
    """How much a module does: the statements in its functions, without docstrings and `...`."""
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = {node for function in functions for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function}
    return sum(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in within)


def untested() -> Iterator[Path]:
    """The modules that do more than a little and have no test of their own name, from the root."""
    for package in PACKAGES:
        for path in modules(package).values():
            here = path.relative_to(ROOT)
            mirrored = ROOT / "tests" / here.parent / f"test_{path.stem}.py"
            if path.stem not in EMPTY and "migrations" not in here.parts and statements(path) >= LITTLE and not mirrored.exists():
                yield here


def started(path: Path) -> Iterator[str]:
    """The modules that a file starts as processes: what comes after "-m", or is named whole."""
    for node in ast.walk(parsed(path)):
        words = node.elts if isinstance(node, ast.List) else node.args if isinstance(node, ast.Call) else ()
        said = [word.value if isinstance(word, ast.Constant) else None for word in words]
        yield from (f"{name}.__main__" for flag, name in pairwise(said) if flag == "-m" and isinstance(name, str))
        yield from (name for name in said if isinstance(name, str) and "." in name)


@cache
def neighbours(path: Path) -> tuple[Path, ...]:
    known = {name: each for package in (*PACKAGES, "tests") for name, each in modules(package).items()}
    beside = (path.parent / "conftest.py",) if path.stem.startswith("test_") else ()
    return (*(known[name] for name in (*imported(path, known), *started(path)) if name in known), *filter(Path.exists, beside))


def reached(test: Path) -> set[Path]:
    """All that a test, its conftest, and what they need import or start, wherever in a file."""
    found, left = {test}, [test]
    while left:
        fresh = set(neighbours(left.pop())) - found
        found |= fresh
        left += fresh
    return found


def row_of(path: Path) -> str | None:
    """The row of the table that a module, or a folder that holds it, stands in."""
    return next((str(each) for each in (path, *path.parents) if str(each) in TESTED_BY), None)


def test_every_module_is_tested_by_its_name_or_by_the_table() -> None:
    rows = {path: row_of(path) for path in untested()}
    assert [str(path) for path, row in rows.items() if row is None] == []
    assert TESTED_BY.keys() - rows.values() == set()  # what nothing needs any more
    reach = {row: reached(ROOT / "tests" / test) for row, test in TESTED_BY.items()}
    assert [str(path) for path, row in rows.items() if row and ROOT / path not in reach[row]] == []
