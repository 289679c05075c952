"""Prepares the training data: scenes as arrays and chats as tokens, in parallel, the same for the same seed."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from engine.models.pocket.efficientnet import SIDE
from engine.models.pocket.scene import Kind
from engine.models.pocket.scene_facts import (
    MAYBE,
    MENTIONED,
    SECOND_COLOUR,
    SURE,
    Box,
    Group,
    Guess,
    SceneFacts,
    Subject,
    arrange,
    reading_order,
    words,
)
from engine.models.pocket.vocabulary import COLOURS, MAX_OBJECTS, SHAPES, UNNAMED, drawn, imagenet, kinds
from engine.training.chat.conversation import Exchange
from engine.training.conversations import talk
from engine.training.palette import pick
from engine.training.query_targets import query_targets
from engine.training.scenes import Composed, Placed, compose
from engine.training.sprites import read_sprites


@dataclass(frozen=True)
class Recipe:
    """What to prepare: `scenes` pictures with `chats` conversations each, without sprites of the style `without`."""

    sprites: Path
    seed: int
    chats: int
    without: str = ""  # a style of sprites to leave out
    only: str = ""  # the one style to use
    chunk: int = 500  # scenes that one process makes at a time


def prepare(folder: Path, recipe: Recipe, scenes: int, processes: int) -> None:
    """Writes `pixels.npy`, `truth.npz` and `chats.jsonl` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(folder / "pixels.npy", "w+", np.uint8, (scenes, SIDE, SIDE, 3))
    starts = range(0, scenes, recipe.chunk)
    truths: list[dict[str, NDArray[np.generic]]] = []
    texts: list[str] = []
    with ProcessPoolExecutor(processes) as pool:
        jobs = pool.map(partial(make_chunk, recipe, scenes), starts)
        for start, (made, truth, told) in zip(starts, jobs, strict=True):
            pixels[start : start + len(made)] = made
            truths.append(truth)
            texts += told
    pixels.flush()
    arrays: dict[str, Any] = {key: np.concatenate([truth[key] for truth in truths]) for key in truths[0]}
    np.savez(folder / "truth.npz", **arrays)
    (folder / "chats.jsonl").write_text("\n".join(texts), encoding="utf-8")


def make_chunk(recipe: Recipe, scenes: int, start: int) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.generic]], list[str]]:
    """Scenes `start` … of the recipe; each chunk has its own generator, so that the number of processes changes nothing."""
    rng = default_rng((recipe.seed, start))
    sprites = read_sprites(recipe.sprites, recipe.without, recipe.only)
    by_name: dict[int, list[int]] = {}
    for i, sprite in enumerate(sprites):
        by_name.setdefault(sprite.name, []).append(i)
    made = [compose(rng, sprites, by_name) for _ in range(min(recipe.chunk, scenes - start))]
    told = []
    for scene in made:
        for _ in range(recipe.chats):
            line, turns = converse(rng, scene)
            told.append(json.dumps([line, [[turn.question, turn.answer] for turn in turns]], ensure_ascii=False))
    truth = [truth_of(scene) for scene in made]
    return np.stack([scene.pixels for scene in made]), {key: np.stack([row[key] for row in truth]) for key in truth[0]}, told


def in_order(scene: Composed) -> list[Placed]:
    if not scene.objects:
        return []
    return [scene.objects[i] for i in reading_order([parts(thing) for thing in scene.objects])]


def parts(thing: Placed) -> Box:
    """The box, as fractions of the picture's sides."""
    x, y, width, height = thing.box
    return x / SIDE, y / SIDE, width / SIDE, height / SIDE


def truth_of(scene: Composed) -> dict[str, NDArray[np.generic]]:
    """Arrays of fixed size: things in reading order, −1 where there is none."""
    objects = in_order(scene)
    count = len(objects)
    boxes, shares = np.zeros((MAX_OBJECTS, 4), np.float32), np.zeros((MAX_OBJECTS, len(COLOURS)), np.float32)
    shapes, names = np.full(MAX_OBJECTS, -1, np.int16), np.full(MAX_OBJECTS, -1, np.int16)
    for i, thing in enumerate(objects):
        boxes[i], shares[i], shapes[i], names[i] = parts(thing), thing.shares, thing.shape, thing.name
    slots = query_targets(
        int(scene.kind), scene.background, [int(s) for s in shapes[:count]], [int(n) for n in names[:count]],
        [int(thing.shares.argmax()) for thing in objects], [parts(thing) for thing in objects],
    )  # fmt: skip
    ground = scene.background if scene.background >= 0 else len(COLOURS)
    whole = {
        "kind": np.array(int(scene.kind)),
        "background": np.array(ground),
        "count": np.array(count),
        "slots": np.array(slots, np.int16),
    }
    return whole | {"boxes": boxes, "shares": shares, "shapes": shapes, "names": names}


def converse(rng: Generator, scene: Composed) -> tuple[str, list[Exchange]]:
    """A conversation about the scene, and the line of words beside it; "" in the share of scenes that train the soft tokens alone."""
    names = all_names()
    facts = photographed(rng, names) if rng.random() < 0.16 else see(rng, scene, names)
    turns = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.3, 0.22, 0.17, 0.12, 0.12, 0.07]))
    silent = all(group.shape for group in facts.groups) and bool(facts.groups) and rng.random() < 0.12
    return "" if silent else words(facts), talk(rng, facts, names, turns)


@cache
def all_names() -> tuple[str, ...]:
    known = kinds()
    return tuple(sorted(name for name in {*drawn(), *(entry.name for entry in imagenet())} if known[name] not in UNNAMED))


def see(rng: Generator, scene: Composed, names: tuple[str, ...]) -> SceneFacts:
    """What a good classifier could find in the scene: the true layout, and names with various probabilities, some of them wrong.

    Names are often replaced by others, so that the language model learns to read names instead of recognising sprites.
    """
    background = COLOURS[scene.background] if scene.background >= 0 else ""
    if scene.kind is Kind.TEXT:
        return SceneFacts(Subject.TEXT, (), background)
    if scene.kind is Kind.NOTHING:
        return SceneFacts(Subject.NOTHING, (), background)
    told: dict[tuple[int, int, int], Group] = {}
    things, same = [], []
    for thing in in_order(scene):
        key = (thing.shape, thing.name, int(thing.shares.argmax()) if thing.shape >= 0 else -1)
        if key not in told:
            told[key] = describe_thing(rng, thing, names)
        things.append((told[key], parts(thing)))
        same.append(list(told).index(key))
    return SceneFacts(Subject.THINGS, arrange(things, same), background)


def describe_thing(rng: Generator, thing: Placed, names: tuple[str, ...]) -> Group:
    colours = main_colours(thing.shares)
    if thing.shape >= 0:
        return Group(1, SHAPES[thing.shape], (), colours[:1])
    own = drawn()[thing.name]
    name = own if rng.random() < 0.35 and kinds()[own] not in UNNAMED else pick(rng, names)
    return Group(1, "", guesses(rng, name, names), colours)


def main_colours(shares: NDArray[np.float32]) -> tuple[str, ...]:
    """The one or two colours that make up most of a thing."""
    order = np.argsort(-shares)
    second = [COLOURS[order[1]]] if shares[order[1]] >= SECOND_COLOUR else []
    return (COLOURS[order[0]], *second)


def guesses(rng: Generator, name: str, names: tuple[str, ...]) -> tuple[Guess, ...]:
    """A plausible distribution over names around the true one: certain, doubtful, or too doubtful to be named."""
    roll = rng.random()
    best = rng.uniform(SURE, 1.0) if roll < 0.45 else rng.uniform(MAYBE, SURE) if roll < 0.7 else rng.uniform(0.02, MAYBE)
    fine = ""
    if best >= SURE and rng.random() < 0.5:
        kin = [entry.fine for entry in imagenet() if entry.name == name and entry.fine.lower() != name]
        fine = pick(rng, kin) if kin else ""
    probabilities, left = [best], 1 - best
    for _ in range(MENTIONED - 1):
        probabilities.append(min(probabilities[-1], left * rng.uniform(0.2, 0.9)))
        left -= probabilities[-1]
    kin_share = pick(rng, (0.0, 0.5, 0.9))  # EfficientNet often confuses like with like
    drawn_others = (pick(rng, alike(name) if rng.random() < kin_share else names) for _ in range(MENTIONED - 1))
    others = [other for other in dict.fromkeys(drawn_others) if other != name]
    return (Guess(name, best, fine), *(Guess(other, p) for other, p in zip(others, probabilities[1:], strict=False)))


@cache
def alike(name: str) -> tuple[str, ...]:
    """Other names of the same kind, such as other animals."""
    return tuple(other for other in all_names() if kinds()[other] == kinds()[name])


def photographed(rng: Generator, names: tuple[str, ...]) -> SceneFacts:
    """A photograph as EfficientNet reports it: guesses at one subject. Half of them are animals, as in photos that people send."""
    entries = imagenet()
    entry = entries[int(rng.integers(398))] if rng.random() < 0.5 else entries[int(rng.integers(len(entries)))]
    name = entry.name if entry.kind not in UNNAMED else pick(rng, names)
    return SceneFacts(Subject.PHOTO, (Group(1, "", guesses(rng, name, names)),))
