"""Asks which part of a picture is meant: shows it under a grid of nine cells, with a button for each."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

import structlog
from PIL import Image, ImageDraw

from bot import conversation
from bot.errors import Refusal
from bot.message import Incoming
from bot.platform import Action, Outgoing
from bot.questions.ask import AskDependencies
from bot.questions.newest_pictures import newest_pictures
from bot.questions.which_picture import PictureFinder
from bot.regions import CELLS, GRID, Region
from bot.store import questions

OFFERS: Final = 500  # grids that are remembered
SIDE: Final = 800  # pixels of the drawn picture
ACROSS: Final = 3

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingZoom:
    """A question that waits for its part to be chosen."""

    incoming: Incoming
    question: str


class ZoomGrids:
    """Remembers which grids it offered. A restart forgets them: then people have to ask again."""

    def __init__(self, parts: AskDependencies, picture_finder: PictureFinder, folder: Path) -> None:
        self._parts = parts
        self._picture_finder = picture_finder
        self._folder = folder
        self._offers: OrderedDict[str, WaitingZoom] = OrderedDict()

    async def offer(self, incoming: Incoming, question: str, language: str) -> Outgoing:
        """The grid over the picture that the question is about. Raises Refusal where there is no picture."""
        meant, data, hidden = await self._picture(incoming)
        token = secrets.token_hex(6)
        self._offers[token] = WaitingZoom(meant, question)
        while len(self._offers) > OFFERS:
            self._withdraw(next(iter(self._offers)))
        drawn = None if data is None or hidden else await self._draw(token, data)
        render = self._parts.texts.render
        labels = [render(language, f"region.{name}", edges="") for name in CELLS]
        actions = tuple(Action(label, f"/zoom cell:{token}.{cell}") for cell, label in enumerate(labels))
        files = (drawn,) if drawn else ()
        return Outgoing(
            render(language, "zoom.ask"),
            actions=actions,
            across=ACROSS,
            language=language,
            private=True,
            files=files,
            alt=", ".join(labels),
        )

    def chosen(self, incoming: Incoming, name: str) -> tuple[Incoming, str, Region]:
        """What was asked, and about which part. Raises Refusal for what is not offered, or to somebody else."""
        token, _, cell = name.partition(".")
        waiting = self._offers.get(token)
        if waiting is None or cell not in {str(at) for at in range(len(GRID))}:
            raise Refusal("ask.choice_gone")
        if waiting.incoming.author.key != incoming.author.key:
            raise Refusal("answer.not_yours")
        self._withdraw(token)
        asked = replace(incoming, attachments=waiting.incoming.attachments, reply_to=waiting.incoming.reply_to)
        return asked, waiting.question, GRID[int(cell)]

    def forget(self, person: str) -> None:
        """Drop the grids of this person (key)."""
        for token in [token for token, each in self._offers.items() if each.incoming.author.key == person]:
            self._withdraw(token)

    async def _picture(self, incoming: Incoming) -> tuple[Incoming, bytes | None, bool]:
        """The question in reply to its picture; that picture, unless it can be fetched only once; and whether it is hidden."""
        replied = await self._parts.database.read(questions.replied_to, incoming)
        found = await self._picture_finder.find(incoming, "", replied=replied)
        meant = found if isinstance(found, Incoming) else self._picture_finder.about(incoming, found[-1])
        if files := conversation.attachments_meant(meant, replied):
            kept = files[0].reference and not files[0].spoiler
            return meant, (await self._parts.intake.take(files[0], incoming.author.key)).data if kept else None, files[0].spoiler
        seen = await newest_pictures(self._parts, incoming, replied)
        if seen is None:
            raise Refusal("zoom.no_picture")
        try:
            return meant, await self._parts.files.load(seen.sha256s[0]), seen.spoiler
        except FileNotFoundError:
            raise Refusal("answer.picture_gone") from None

    async def _draw(self, token: str, data: bytes) -> Path | None:
        path = self._path(token)
        try:
            await asyncio.to_thread(save, path, data)
        except OSError as error:
            log.warning("zoom_grid_not_kept", reason=str(error))
            return None
        return path

    def _path(self, token: str) -> Path:
        return self._folder / f"zoom-{token}.jpg"

    def _withdraw(self, token: str) -> None:
        del self._offers[token]
        self._path(token).unlink(missing_ok=True)


def save(path: Path, data: bytes) -> None:
    """The picture, encoded as intake leaves it, under lines at thirds of its sides."""
    with Image.open(BytesIO(data)) as picture:
        picture.draft("RGB", (SIDE, SIDE))
        small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
    ink = ImageDraw.Draw(small)
    for part in (1, 2):
        x, y = small.width * part // ACROSS, small.height * part // ACROSS
        for colour, width in (("black", 5), ("white", 2)):
            ink.line((x, 0, x, small.height), colour, width)
            ink.line((0, y, small.width, y), colour, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    small.save(path, "JPEG", quality=85)
