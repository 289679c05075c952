"""The page that a run ends with: its settings, the curve of its losses, and what the model said before and after. One file, no script."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from PIL import Image

from engine.atomic_write import replacing
from engine.training.alignment.checkpoint import RunState
from engine.training.alignment.dataset import Example
from engine.training.alignment.recipe import RunSettings
from engine.training.alignment.watch import duration

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.loss { fill: none; stroke: #3b82f6; stroke-width: 1.5; } .held { fill: none; stroke: #f97316; stroke-width: 2; }
.axis { stroke: #8888; }
table { border-collapse: collapse; }
td, th { padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; }
article { display: grid; grid-template-columns: minmax(0, 14rem) minmax(0, 1fr);
  gap: 1.5rem; padding: 1rem 0; border-top: 1px solid #8884; }
img { width: 100%; border-radius: .5rem; } p { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
@media (max-width: 40rem) { svg text { font-size: 26px; } article { grid-template-columns: 1fr; } }
"""
WIDTH, HEIGHT, MARGIN, LEFT = 900, 320, 40, 72  # of the curve, in SVG's units
LEAST = 1e-6  # a smaller loss is drawn as this
TICKS = 3  # of the curve at least
SIDE = 320  # pixels of a picture at most
POINTS = 450  # of the curve at most: a mean of neighbours each


def write_report(path: Path, settings: RunSettings, state: RunState, shown: Sequence[Example], seconds: float) -> None:
    with replacing(path) as part:
        part.write_text("".join(page(settings, state, shown, seconds)), encoding="utf-8")


def page(settings: RunSettings, state: RunState, shown: Sequence[Example], seconds: float) -> Iterator[str]:
    title = f"Training of {escape(settings.base)}, stage {settings.stage}"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n'
    yield f"<body>\n<h1>{title}</h1>\n<p>{state.step} of {settings.steps} steps in {duration(seconds)}. {best(state)}</p>\n"
    yield curve(state)
    if shown:
        yield "<h2>Answers</h2>\n"
    for at, example in enumerate(shown):
        yield from article(state, example, at)
    yield "<h2>Settings</h2>\n<table>\n"
    for name, value in asdict(settings).items():
        yield f"<tr><td>{escape(spaced(name))}</td><td>{escape(in_words(value))}</td></tr>\n"
    yield "</table>\n</body>\n</html>\n"


def in_words(value: object) -> str:
    """A setting's value as a person writes it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case dict():
            return ", ".join(f"{spaced(name)} {in_words(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(map(in_words, value))
    return str(value)


def spaced(name: str) -> str:
    return name.replace("_", " ")


def best(state: RunState) -> str:
    if state.best_step not in state.held_out:
        return "No rows were held out: the last weights are exported."
    return f"The least held-out loss is {state.held_out[state.best_step]:.3f}, at step {state.best_step}: these weights are exported."


def article(state: RunState, example: Example, at: int) -> Iterator[str]:
    question, expected = example.turns[0]
    yield f"<article>\n<div>{''.join(inline(picture.open()) for picture in example.pictures)}</div>\n<div>\n"
    yield f"<h3>{escape(question or example.where)}</h3>\n<table>\n<tr><th>expected</th><td><p>{escape(expected)}</p></td></tr>\n"
    for step, answers in sorted(state.answers.items()):
        name = "before" if step == 0 else f"step {step}"
        yield f"<tr><th>{name}</th><td><p>{escape(answers[at] if at < len(answers) else '')}</p></td></tr>\n"
    yield "</table>\n</div>\n</article>\n"


def inline(picture: Image.Image) -> str:
    picture.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return f'<img alt="" src="data:image/jpeg;base64,{b64encode(data.getvalue()).decode("ascii")}">'


def curve(state: RunState) -> str:
    """The losses of steps as one line, of the held-out rows as another; upwards by their logarithm, for what is learned last is small."""
    steps = thinned([(float(step), max(loss, LEAST)) for step, loss in enumerate(state.losses)])
    held = [(float(step), max(loss, LEAST)) for step, loss in sorted(state.held_out.items())]
    if not steps:
        return "<p>No step was done.</p>\n"
    last, bottom, right = max(len(state.losses), 1), HEIGHT - MARGIN, WIDTH - MARGIN
    values = [loss for _, loss in (*steps, *held)]
    low, high = min(values), max(*values, min(values) * 1.001)

    def up(loss: float) -> float:
        return bottom - (bottom - MARGIN) * math.log(loss / low) / math.log(high / low)

    def points(line: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{LEFT + step * (right - LEFT) / last:.1f},{up(loss):.1f}" for step, loss in line)

    marks = "".join(
        f'<path class="axis" d="M{LEFT} {up(loss):.1f}H{right}"/>'
        f'<text x="{LEFT - 8}" y="{up(loss) + 4:.1f}" text-anchor="end">{loss:.3g}</text>\n'
        for loss in ticks(low, high)
    )
    legend = "loss of steps: blue" + ("; of held-out rows: orange" if held else "")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Loss by step, from {values[0]:.3g} to {steps[-1][1]:.3g}">\n{marks}'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">step 0</text><text x="{right}" y="{HEIGHT - 8}" text-anchor="end">step {last}</text>\n'
        f'<text x="{right}" y="{MARGIN - 14}" text-anchor="end">{legend}</text>\n'
        f'<polyline class="loss" points="{points(steps)}"/>\n<polyline class="held" points="{points(held)}"/>\n</svg>\n'
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between the two, a few; the two themselves where they are too near for that."""
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leading in ((1,), (1, 3), (1, 2, 5)):
        found = [first * 10.0**power for power in tens for first in leading if low <= first * 10.0**power <= high]
        if len(found) >= TICKS:
            return found
    return [low, high]


def thinned(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = -(-len(line) // POINTS) or 1
    groups = [line[at : at + size] for at in range(0, len(line), size)]
    return [(sum(step for step, _ in group) / len(group), sum(loss for _, loss in group) / len(group)) for group in groups]
