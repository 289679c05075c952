"""Writes a demo to disk: one self-contained HTML file to read, and JSON lines to evaluate.

What people and models wrote is hostile until it is escaped; the file forbids scripts and addresses outside of itself besides.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from bot.private_file import private
from bot.store.demos import Demo, Entry
from bot.store.pictures import PictureFiles
from bot.texts import Texts

DEMO_FILES = "gander-demo-"  # begins the files' names
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
article { display: grid; grid-template-columns: minmax(0, 18rem) minmax(0, 1fr); gap: 1.5rem; padding: 1.5rem 0; }
article + article { border-top: 1px solid #8884; }
img { width: 100%; border-radius: 0.75rem; }
h2 { margin: 0; font-size: 1.1rem; }
h3 { margin: 1rem 0 0; font-size: 1rem; }
p { margin: 0.25rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
small { opacity: 0.75; }
@media (max-width: 40rem) { article { grid-template-columns: 1fr; } }
"""


def write_export(folder: Path, demo: Demo, shown: Sequence[Entry], files: PictureFiles, texts: Texts) -> tuple[Path, Path]:
    """Write both files, and return their paths. A later export of the same demo replaces them."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{DEMO_FILES}{datetime.fromtimestamp(demo.started, UTC):%Y-%m-%d-%H%M}-{demo.id}"
    page, lines = folder / f"{name}.html", folder / f"{name}.jsonl"
    with open(page, "w", encoding="utf-8", opener=private) as file:
        file.writelines(_page(demo, shown, files, texts))
    with open(lines, "w", encoding="utf-8", opener=private) as file:
        file.writelines(f"{json.dumps(_record(entry), ensure_ascii=False)}\n" for entry in shown)
    return page, lines


def _page(demo: Demo, shown: Sequence[Entry], files: PictureFiles, texts: Texts) -> Iterator[str]:
    title = escape(texts.render(demo.language, "demo.export_title", date=f"{datetime.fromtimestamp(demo.started, UTC):%Y-%m-%d}"))
    yield f'<!doctype html>\n<html lang="{escape(demo.language)}">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>{STYLE}</style>\n'
    yield f"</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    for entry in shown:
        yield from _article(entry, files)
    yield "</main>\n</body>\n</html>\n"


def _article(entry: Entry, files: PictureFiles) -> Iterator[str]:
    yield "<article>\n<div>"
    for sha256 in entry.shown.pictures:
        yield _picture(files.path(sha256))
    yield f"</div>\n<div>\n<h2>{escape(entry.shown.asked)}</h2>\n<small>{escape(entry.shown.name)}</small>\n"
    for number, section in enumerate(entry.sections):
        heading = f"<h3>{escape(section.label)}</h3>\n" if section.label else ""
        likes = f"<small>👍 {entry.votes[number]}</small>\n" if entry.votes[number] else ""
        yield f"{heading}<p>{escape(section.text)}</p>\n{likes}"
    yield "</div>\n</article>\n"


def _picture(path: Path) -> str:
    """The picture as an inline `<img>`; empty if it was deleted meanwhile."""
    if not path.exists():
        return ""
    data = path.read_bytes()
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return f'<img alt="" src="data:{kind};base64,{b64encode(data).decode("ascii")}">'


def _record(entry: Entry) -> dict[str, Any]:
    shown = entry.shown
    return {
        "at": datetime.fromtimestamp(shown.asked_at, UTC).isoformat(),
        "name": shown.name,
        "question": shown.asked,
        "pictures": shown.pictures,
        "answers": [{"label": each.label, "text": each.text, "votes": entry.votes[n]} for n, each in enumerate(entry.sections)],
        "seconds": entry.seconds,
        "finish": shown.finish,
    }
