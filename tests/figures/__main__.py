"""`make figures`: asks the pocket model, has it explain its answers, and draws the figures of docs/how-it-works.md."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bot.insight.map_sheet import sheet, telling_words
from engine.api import BeamNode
from engine.core.build import build_engine
from engine.core.offline import OfflineEngine
from engine.explanation import ExplainedAnswer, ExplainedToken
from engine.hub.pocket import pull
from engine.images.decode import Limits, Picture, decode_picture
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import AnswerToExplain, ChoiceFinished, Event, Explained, Request, TextDelta
from engine.weights.loader import load
from tests.figures.draw import bars, lines, tree
from tests.figures.inputs import FOLDER, RECORD, ROOT, fingerprint

TEMPERATURES = (0.5, 1.0, 2.0)
SHOWN_RIVALS = 6
CONVERSATIONS, TOKENS = 40, 1024
MEBI = 1 << 20


class Maker:
    """One engine with the pocket model, which every figure asks."""

    def __init__(self, home: Path) -> None:
        pull(home)
        self.model = load(home / "models" / "pocket", torch.device("cpu"), exact=True)
        self.engine = OfflineEngine(self.model)

    def ask(self, turns: tuple[Turn, ...], beams: int = 1, tokens: int = 40) -> list[Event]:
        generation = Generation(temperature=0.0, max_tokens=tokens, num_beams=beams)
        return list(self.engine.generate(Request(turns, generation, beam_tree=beams > 1)))

    def explained(self, turns: tuple[Turn, ...]) -> ExplainedAnswer:
        answer = AnswerToExplain(said(self.ask(turns)), rivals=20)
        [found] = [
            event.explanation
            for event in self.engine.generate(Request(turns, Generation(temperature=0.0, max_tokens=40), explains=answer))
            if isinstance(event, Explained)
        ]
        return found


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def sample(name: str) -> Picture:
    return decode_picture((ROOT / "bot" / "samples" / name).read_bytes(), Limits())


def at_temperatures(token: ExplainedToken) -> dict[str, list[tuple[str, float]]]:
    """The chances of a word and its likeliest rivals, as each temperature sharpens or flattens them."""
    found = {}
    for temperature in TEMPERATURES:
        weights = [rival.probability ** (1 / temperature) for rival in token.rivals]
        shares = [(rival.text.strip() or "␣", weight / sum(weights)) for rival, weight in zip(token.rivals, weights, strict=True)]
        found[f"temperature {temperature:g}"] = shares[:SHOWN_RIVALS]
    return found


def held() -> float:
    """MiB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEBI


def memory(maker: Maker) -> dict[str, list[tuple[float, float]]]:
    """MiB after each of many conversations about pictures of their own: what this process took more than before the first, measured;
    and what a cache would hold that keeps all it ever read, computed."""
    maker.engine.engine = build_engine(maker.model, rows=2, tokens=TOKENS)
    maker.ask((Turn("user", ("Hello",)),))
    before = held()
    config = maker.model.language_model.config
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * maker.model.language_model.dtype.itemsize
    rng, read, here, growing = np.random.default_rng(0), 0, [], []
    for number in range(CONVERSATIONS):
        pixels = Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).resize((224, 224))
        events = maker.ask((Turn("user", (Picture(pixels, f"{number:064d}"), "What do you see?")),), tokens=12)
        read += sum(getattr(event, "prompt_tokens", 0) + getattr(event, "completion_tokens", 0) for event in events)
        here.append((number + 1.0, max(0.0, held() - before)))
        growing.append((number + 1.0, read * token / MEBI))
    return {f"measured, a pool of {TOKENS} tokens": here, "a cache that keeps everything": growing}


def make(home: Path) -> None:
    maker = Maker(home)
    FOLDER.mkdir(exist_ok=True)
    shapes = (Turn("user", (sample("shapes.png"), "What do you see?")),)
    name = (Turn("user", ("What should I call my goose?",)),)
    found = maker.explained(shapes)
    [seen] = found.pictures
    sheet(seen, telling_words(found, 0, 6), columns=6, side=150).save(FOLDER / "words.png", optimize=True)
    queries = [(str(at + 1), shares) for at, shares in enumerate(seen.taken)]
    sheet(seen, queries, columns=8, side=112).save(FOLDER / "queries.png", optimize=True)
    unsure = min(maker.explained(name).answer, key=lambda token: token.probability)
    write("temperature.svg", bars(f"The word “{unsure.text.strip()}” and its rivals", at_temperatures(unsure)))
    [ended] = [event for event in maker.ask(name, beams=3, tokens=7) if isinstance(event, ChoiceFinished)]
    write("beams.svg", tree("Three beams", [BeamNode(**node._asdict()) for node in ended.beams]))
    write("memory.svg", lines("The memory of conversations", "conversations, each about a picture of its own", "MiB", memory(maker)))
    RECORD.write_text(f"{fingerprint()}\n", "utf-8")


def write(name: str, drawing: str) -> None:
    (FOLDER / name).write_text(drawing, "utf-8")


if __name__ == "__main__":
    make(Path(os.environ.get("GANDER_HOME") or ROOT / ".test_cache"))
