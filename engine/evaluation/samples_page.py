"""A page of samples from an evaluation: pictures, what was wanted, what the model said, and its base beside it. One file, no script."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from random import Random

from PIL import Image

from engine.atomic_write import replacing
from engine.evaluation.on_data import Answered, DataResult, Question
from engine.evaluation.text_scores import TextScores
from engine.training.alignment.dataset import StoredPicture

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .25rem 1.5rem .25rem 0; text-align: left; }
article { display: grid; grid-template-columns: minmax(0, 14rem) minmax(0, 1fr); gap: 1.5rem; }
article { padding: 1.5rem 0; border-top: 1px solid #8884; }
section { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); gap: 1.5rem; }
img { width: 100%; border-radius: .5rem; } p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; }
small { opacity: .7; }
@media (max-width: 40rem) {
  td, th { padding-right: .5rem; overflow-wrap: anywhere; }
  article, section { grid-template-columns: 1fr; grid-auto-flow: row; }
}
"""
SAMPLES = 60
SIDE = 320  # pixels


def write_page(path: Path, questions: Sequence[Question], results: dict[str, DataResult], seed: int = 0) -> None:
    """`results` by name, the model's before its base's. At most SAMPLES questions, drawn by `seed`."""
    order = sorted(Random(seed).sample(range(len(questions)), min(SAMPLES, len(questions))))  # noqa: S311 (a sample, no secret)
    with replacing(path) as part:
        part.write_text("".join(page(questions, results, order)), encoding="utf-8")


def page(questions: Sequence[Question], results: dict[str, DataResult], order: Sequence[int]) -> Iterator[str]:
    title = " beside ".join(map(escape, results))
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n'
    yield f"<body>\n<h1>{title}</h1>\n<p>{len(questions)} questions, of which {len(order)} are shown.</p>\n<table>\n<tr><th></th>"
    yield "".join(f"<th>{escape(measure)}</th>" for measure in next(iter(results.values())).means)
    for name, result in results.items():
        yield f"</tr>\n<tr><th>{escape(name)}</th>" + "".join(f"<td>{mean:.3f}</td>" for mean in result.means.values())
    yield "</tr>\n</table>\n"
    for at in order:
        yield from article(questions[at], {name: (result.answers[at], result.scores[at]) for name, result in results.items()})
    yield "</body>\n</html>\n"


def article(question: Question, answers: dict[str, tuple[Answered, TextScores]]) -> Iterator[str]:
    yield "<article>\n<div>" + "".join(map(shown, question.pictures)) + f"<small>{escape(question.where)}</small></div>\n<div>\n"
    for asked, said in question.before:
        yield f"<p><small>{escape(asked)}</small></p>\n<p><small>{escape(said)}</small></p>\n"
    yield f"<p><b>{escape(question.question or 'Describe it.')}</b></p>\n"
    yield "".join(f"<p>wanted: {escape(reference)}</p>\n" for reference in question.references) + "<section>\n"
    for name, (answer, score) in answers.items():
        numbers = f"exact {score.exact:.0f}, F1 {score.f1:.2f}, CIDEr {score.cider:.2f}"
        yield f"<div><small>{escape(name)} ({numbers})</small><p>{escape(answer.failed or answer.text)}</p></div>\n"
    yield "</section>\n</div>\n</article>\n"


def shown(picture: StoredPicture) -> str:
    """A small JPEG: what came with the file, such as where it was taken, stays out."""
    small = picture.open()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    small.save(data, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{b64encode(data.getvalue()).decode()}">'
