"""Draws the figures of docs/how-it-works.md that are no pictures: bars, lines and trees, as SVG that a text editor can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from engine.api import BeamNode

FONT = 'font-family="system-ui, sans-serif" font-size="14"'
INK, BAR, LINE, PAPER = "#25221d", "#2f5d57", "#a04d0b", "#f7f5f0"
ROW = 24
Points = Sequence[tuple[float, float]]


def svg(width: int, height: int, body: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">\n'
        f'<title>{escape(title)}</title>\n<rect width="{width}" height="{height}" fill="{PAPER}"/>\n{body}</svg>\n'
    )


def text(x: float, y: float, words: str, anchor: str = "start", fill: str = INK) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {FONT} text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>\n'


def bars(title: str, columns: Mapping[str, Sequence[tuple[str, float]]]) -> str:
    """Groups of bars side by side, each bar a share of 1."""
    width, rows = 250, max(map(len, columns.values()))
    body = ""
    for at, (name, shares) in enumerate(columns.items()):
        left = 16 + at * width
        body += text(left, 24, name)
        for row, (label, share) in enumerate(shares):
            y = 36 + row * ROW
            body += text(left, y + 15, label)
            body += f'<rect x="{left + 84}" y="{y + 3}" width="{max(1.0, 90 * share):.1f}" height="16" fill="{BAR}"/>\n'
            body += text(left + 180, y + 15, f"{share:.1%}")
    return svg(16 + len(columns) * width, 48 + rows * ROW, body, title)


def lines(title: str, across: str, up: str, named: Mapping[str, Points]) -> str:
    """Lines over one another, from 0."""
    width, height, left, bottom = 640, 320, 70, 270
    right = max(x for points in named.values() for x, _ in points)
    top = 1.1 * max(y for points in named.values() for _, y in points)
    body = f'<path d="M{left} 30V{bottom}H{width - 20}" fill="none" stroke="{INK}"/>\n'
    body += text((left + width) / 2, height - 14, across, "middle") + text(12, 20, up)
    for value in (0.0, top / 1.1):
        body += text(left - 6, bottom - (bottom - 30) * value / top + 5, f"{value:.0f}", "end")
    for (name, points), colour, dash in zip(named.items(), (BAR, LINE), ("", "6 4"), strict=False):
        places = [(left + (width - 20 - left) * x / right, bottom - (bottom - 30) * y / top) for x, y in points]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body += f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>\n'
        body += text(places[-1][0], places[-1][1] - 8, name, "end", colour)
    return svg(width, height, body, title)


def tree(title: str, beams: Sequence[BeamNode]) -> str:
    """All that a search followed, a line each, below what it goes on with; what was chosen is bold."""
    chosen = next((at for at, node in enumerate(beams) if node.choice == 0), None)
    won: set[int] = set()
    while chosen is not None:
        won.add(chosen)
        chosen = beams[chosen].parent
    rows: list[tuple[int, int, int]] = []  # first node and last of a way without a fork, and its depth

    def follow(parent: int | None, depth: int) -> None:
        for first in sorted((at for at, node in enumerate(beams) if node.parent == parent), key=lambda at: -beams[at].score):
            last = first
            while len(onward := [at for at, node in enumerate(beams) if node.parent == last]) == 1:
                [last] = onward
            rows.append((first, last, depth))
            follow(last, depth + 1)

    follow(None, 0)
    body = ""
    for row, (first, last, depth) in enumerate(rows):
        parent, node = beams[first].parent, beams[last]
        before = "" if parent is None else beams[parent].text
        words = node.text[len(before) :].strip() or "(end)"
        weight = ' font-weight="700"' if last in won else ""
        body += text(16 + 26 * depth, 24 + row * ROW, f"{words}  {node.score:.2f}").replace("<text", f"<text{weight}")
    return svg(760, 36 + len(rows) * ROW, body, title)
