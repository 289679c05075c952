"""Mutations of a file, drawn from a generator of random numbers: what rot, lies and clumsy programs do to it, and what attackers try."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

EDGES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HEADER: Final = 64  # bytes in which most of a format's sizes and kinds stand
MOST: Final = 1 << 16  # bytes that a mutation may add


def flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def replace_bytes(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 16)):
        data[chance.randrange(len(data))] = chance.randrange(256)


def lie_in_the_header(data: bytearray, chance: random.Random) -> None:
    """A number of one, two or four bytes at the limits of its type, in either order."""
    for _ in range(chance.randint(1, 3)):
        size = chance.choice((1, 2, 4))
        at = chance.randrange(min(HEADER, len(data)))
        data[at : at + size] = (chance.choice(EDGES) & ((1 << 8 * size) - 1)).to_bytes(size, chance.choice(("little", "big")))


def lie_anywhere(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + 4] = chance.choice(EDGES).to_bytes(4, chance.choice(("little", "big")))


def cut_off(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data) + 1) :]


def cut_out(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 32)]


def repeat(data: bytearray, chance: random.Random) -> None:
    """A piece many times over: what has a length of its own is read again and again."""
    at = chance.randrange(len(data))
    piece = data[at : at + chance.randint(1, 64)]
    times = chance.choice((2, 16, 256))
    data[at:at] = (piece * times)[:MOST]


def shuffle(data: bytearray, chance: random.Random) -> None:
    first, second = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
    data[first:] = data[second:] + data[first:second]


def add_noise(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.randint(1, 512))


MUTATIONS: Final[Sequence[Callable[[bytearray, random.Random], None]]] = (
    *(flip_bits, replace_bytes, lie_in_the_header, lie_in_the_header, lie_anywhere),
    *(cut_off, cut_out, repeat, shuffle, add_noise),
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to three mutations of a file; never empty."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        chance.choice(MUTATIONS)(changed, chance)
        changed = changed or bytearray(b"\0")
    return bytes(changed)
