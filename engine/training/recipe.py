"""The shipped bridge's recipe as one configuration: `gander train pocket --folder DIR` goes through all stages, and on where it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from accelerate import Accelerator

from engine.atomic_write import replacing
from engine.errors import DataError
from engine.training import run
from engine.training.data import Recipe, prepare
from engine.training.loop import Schedule
from engine.training.measure import measure_language, measure_vision

Say = Callable[[str], None]
Measured = dict[str, tuple[float, int]]
# What the shipped bridge reaches on scenes of a style that no training saw: engine/weights/pocket/README.md.
STATED: Mapping[str, float] = {
    "count of shapes": 0.980,
    "shapes and colours": 0.980,
    "count of things": 0.971,
    "background": 1.0,
    "name": 0.416,
    "name in five": 0.730,
    "answers word for word": 0.974,
}
TOLERANCE = 0.02
UNSEEN = "emojione"  # the style of drawings that measures
LOOK, SPEAK, JUDGE = "look-data", "speak-data", "judge-data"


@dataclass(frozen=True)
class PocketRecipe:
    """Scenes, conversations about each, steps, pairs a step and the learning rate of both stages; the scenes that measure."""

    look_scenes: int = 100_000
    look_chats: int = 2
    look_steps: int = 700
    look_batch: int = 512
    look_rate: float = 1e-3
    speak_scenes: int = 26_000
    speak_chats: int = 6
    speak_steps: int = 850
    speak_batch: int = 128
    speak_rate: float = 1e-3
    judged_scenes: int = 1500
    unseen: str = UNSEEN

    def scaled(self, share: float) -> PocketRecipe:
        """With so much of the scenes, the steps and the pairs: a trial that is over soon, and reaches no quality."""
        counts = ("look_scenes", "look_steps", "look_batch", "speak_scenes", "speak_steps", "speak_batch", "judged_scenes")
        return replace(self, **{name: max(2, round(getattr(self, name) * share)) for name in counts})


def make_bridge(
    parts: Callable[[], run.FrozenParts],
    sprites: Path,
    folder: Path,
    recipe: PocketRecipe,
    processes: int,
    accelerator: Accelerator,
    say: Say,
) -> Measured:
    """Prepares, looks, speaks, measures, and writes `bridge.safetensors` into `folder`; what is there already is not made again.

    `parts` loads the frozen parts anew. Raises DataError where the folder holds another recipe's work.
    """
    guard(folder, recipe)
    seen = Recipe(sprites, 0, recipe.look_chats, without=recipe.unseen)
    prepared(folder / LOOK, seen, recipe.look_scenes, processes, say)
    if not (folder / "look.safetensors").exists():
        schedule = Schedule(recipe.look_steps, recipe.look_rate, 0)
        run.train_vision(parts(), folder / LOOK, folder, schedule, recipe.look_batch, accelerator, say)
    prepared(folder / SPEAK, replace(seen, seed=2, chats=recipe.speak_chats), recipe.speak_scenes, processes, say)
    if not (folder / "speak.safetensors").exists():
        schedule = Schedule(recipe.speak_steps, recipe.speak_rate, 0)
        run.train_language(parts(), folder / SPEAK, folder, schedule, recipe.speak_batch, accelerator, say)
    run.export(folder, folder / "bridge.safetensors")
    prepared(folder / JUDGE, Recipe(sprites, 1, 1, only=recipe.unseen), recipe.judged_scenes, processes, say)
    return measured(parts(), folder, accelerator, say)


def guard(folder: Path, recipe: PocketRecipe) -> None:
    """A folder belongs to one recipe: its parts would not fit another's."""
    path, told = folder / "recipe.json", json.dumps(asdict(recipe), indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") != told:
        raise DataError(f"{folder} holds what another recipe made ({path}). Give the same --share, or another --folder.")
    with replacing(path) as part:
        part.write_text(told, encoding="utf-8")


def prepared(folder: Path, recipe: Recipe, scenes: int, processes: int, say: Say) -> None:
    """`ready` is written last: a folder without it is made anew."""
    if (folder / "ready").exists():
        return
    say(f"{folder.name}: {scenes} scenes with {recipe.chats} conversations each")
    prepare(folder, recipe, scenes, processes)
    (folder / "ready").touch()


def measured(parts: run.FrozenParts, folder: Path, accelerator: Accelerator, say: Say) -> Measured:
    """Tells each figure beside what the shipped bridge reaches; all of them lie in `measured.json`."""
    bridge = run.read_bridge(folder / "look.safetensors", parts.language.config.hidden_size, accelerator.device)
    share, answers, wrong = measure_language(parts, folder, folder / JUDGE, accelerator)
    found = {**measure_vision(parts, bridge, folder / JUDGE, accelerator), "answers word for word": (share, answers)}
    with replacing(folder / "measured.json") as part:
        part.write_text(json.dumps(found, indent=1), encoding="utf-8")
    (folder / "failures.txt").write_text("\n".join(wrong), encoding="utf-8")
    for name, (value, count) in found.items():
        say(f"{name}: {value:.3f} of {count}" + (f" (stated: {STATED[name]:.3f})" if name in STATED else ""))
    short = short_of(found)
    say(f"Below what is stated by more than {TOLERANCE:.2f}: {', '.join(short)}." if short else "All within the stated quality.")
    return found


def short_of(found: Measured) -> list[str]:
    """What is below the shipped bridge's figure by more than the tolerance, or was not measured at all."""
    return [name for name, stated in STATED.items() if found.get(name, (0.0, 0))[0] < stated - TOLERANCE]
