"""Draws the frames that the model saw of a film side by side, as `/frames` shows them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot import conversation
from bot.errors import Refusal
from bot.media import tiled_sheet
from bot.message import Attachment, Incoming
from bot.questions.ask import AskDependencies
from bot.questions.newest_pictures import newest_pictures
from bot.store import questions
from bot.store.graph import Turn

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FilmSheet:
    """A sheet as a file that goes out once, and the seconds of its frames. `spoiler`: the film is hidden."""

    file: Path
    times: tuple[float, ...]
    spoiler: bool = False


class FilmSheets:
    """Sheets as files in `folder`, which exists for what goes out once."""

    def __init__(self, parts: AskDependencies, folder: Path) -> None:
        self._parts = parts
        self._folder = folder

    async def make(self, incoming: Incoming) -> FilmSheet:
        """The newest film of what the event replies to, or of the conversation here. Raises Refusal."""
        seen, film = await self._newest(incoming)
        path = self._folder / f"frames-{secrets.token_hex(6)}.jpg"
        try:
            frames = [await self._parts.files.load(seen.sha256s[at]) for at, _ in film]
            await asyncio.to_thread(tiled_sheet.save, path, frames, [f"{seconds:.1f} s" for _, seconds in film])
        except FileNotFoundError:
            raise Refusal("answer.picture_gone") from None
        except OSError as error:
            log.warning("film_sheet_not_kept", reason=str(error))
            raise Refusal("frames.not_drawn") from None
        return FilmSheet(path, tuple(seconds for _, seconds in film), seen.spoiler)

    async def film(self, incoming: Incoming) -> Attachment:
        """That film itself, to be looked at anew. Raises Refusal, also where it isn't kept any more."""
        seen, frames = await self._newest(incoming)
        data = await self._parts.files.original(seen.sha256s[frames[0][0]])
        if data is None:
            raise Refusal("frames.film_gone")

        async def read() -> AsyncIterator[bytes]:
            yield data

        return Attachment("film", read, len(data), spoiler=seen.spoiler)

    async def _newest(self, incoming: Incoming) -> tuple[Turn, list[tuple[int, float]]]:
        """The message that shows it, and its frames: their places in the message and times."""
        replied = await self._parts.database.read(questions.replied_to, incoming)
        seen = await newest_pictures(self._parts, incoming, replied)
        films = conversation.films(seen.seconds) if seen else []
        if seen is None or not films:
            raise Refusal("frames.none")
        return seen, films[-1]
