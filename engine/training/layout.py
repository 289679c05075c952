"""Where the things of a training scene stand."""

from __future__ import annotations

from numpy.random import Generator


def lay_out(rng: Generator, count: int) -> list[tuple[float, float, float]]:
    """`count` squares that do not touch: centre x, centre y and side, as fractions of the picture's side."""
    if count == 1:
        side = rng.uniform(0.2, 0.95)
        room = max(0.0, 1.06 - side) / 2
        return [(0.5 + rng.uniform(-room, room), 0.5 + rng.uniform(-room, room), side)]
    roll = rng.random()
    if roll < 0.55 and count <= 4:
        return _line(rng, count, across=rng.random() < 0.6)
    return _scatter(rng, count)


def _line(rng: Generator, count: int, across: bool) -> list[tuple[float, float, float]]:
    pitch = 1 / count
    side = pitch * rng.uniform(0.6, 0.92)
    wobble = 0.06 if count > 2 else 0.1
    shift = rng.uniform(-1, 1) * max(0.0, 0.5 - side / 2 - wobble) * 0.8
    places = []
    for i in range(count):
        along = pitch * (i + 0.5) + rng.uniform(-1, 1) * (pitch - side) * 0.35
        off = 0.5 + shift + rng.uniform(-wobble, wobble)
        x, y = (along, off) if across else (off, along)
        places.append((x, y, side * rng.uniform(0.85, 1.0)))
    return places


def _scatter(rng: Generator, count: int) -> list[tuple[float, float, float]]:
    longest = {2: 0.45, 3: 0.38, 4: 0.34, 5: 0.3, 6: 0.28}[count]
    side = longest * rng.uniform(0.5, 1.0)
    while True:
        places: list[tuple[float, float, float]] = []
        for _ in range(60):
            x, y = rng.uniform(side / 2, 1 - side / 2, 2)
            if all(max(abs(x - a), abs(y - b)) > side * 1.04 for a, b, _ in places):
                places.append((float(x), float(y), side * rng.uniform(0.85, 1.0)))
            if len(places) == count:
                return places
        side *= 0.9
