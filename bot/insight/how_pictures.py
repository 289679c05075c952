"""Shows how an answer came about where people can't be sent to a page: as one picture in the chat, of one in steps what they looked at."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from shutil import copyfile

import structlog
from PIL import Image

from bot.errors import AnswerLost, EngineRefused, EngineUnavailable, Refusal
from bot.insight.explainer import Explainer
from bot.insight.how import How
from bot.insight.how_sheet import how_sheet
from bot.message import Place
from bot.platform import Outgoing
from bot.steps.trace import sheet_of, trace_lines
from bot.store.database import Database
from bot.store.graph import Answer
from bot.store.pictures import PictureFiles
from bot.store.snapshots import read_snapshot
from bot.texts import Texts
from engine.writing import fenced

log = structlog.get_logger(__name__)


class HowPictures:
    """Pictures as files in `folder`, which exists for what goes out once."""

    def __init__(self, database: Database, explainer: Explainer, texts: Texts, files: PictureFiles, folder: Path) -> None:
        self._database, self._explainer, self._texts, self._files, self._folder = database, explainer, texts, files, folder

    async def show(self, answer: int, place: Place, language: str, *, private: bool) -> Outgoing:
        """Of an answer that was given in this place. Raises Refusal `how.gone`, `how.covered`, `how.none` or `how.later`."""
        stored = await self._database.read(read_snapshot, answer)
        if stored is not None and stored.answer.spoiler:
            raise Refusal("how.covered")
        if stored is not None and stored.answer.place.key == place.key and sheet_of(stored.answer.trace)[0]:
            return await self._steps(stored.answer, language, private=private)
        how = await self._found(answer, place)
        found = await asyncio.to_thread(how_sheet, how, self._texts, language)
        files: tuple[Path, ...] = ()
        if found.image is not None:
            files = (self._folder / f"how-{secrets.token_hex(6)}.png",)
            try:
                await asyncio.to_thread(save, found.image, files[0])
            except OSError as error:
                log.warning("how_picture_not_kept", reason=str(error))
                files = ()  # the words say the same
        return Outgoing(found.text, private=private, language=language, files=files, alt="\n".join(found.lines))

    async def _steps(self, answer: Answer, language: str, *, private: bool) -> Outgoing:
        """The program of an answer in steps, with what it looked at."""
        sha256, seen = sheet_of(answer.trace)
        file = self._folder / f"steps-{secrets.token_hex(6)}.jpg"
        try:
            await asyncio.to_thread(copy, self._files.path(sha256), file)
        except FileNotFoundError:
            raise Refusal("how.gone") from None
        return Outgoing(fenced(trace_lines(answer.trace)), private=private, language=language, files=(file,), alt=seen)

    async def _found(self, answer: int, place: Place) -> How:
        try:
            how = await self._explainer.how(answer, place.key)
        except EngineRefused:
            raise Refusal("how.none") from None
        except (EngineUnavailable, AnswerLost):
            raise Refusal("how.later") from None
        if how is None:
            raise Refusal("how.gone")
        return how


def save(image: Image.Image, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    image.save(file, "PNG")


def copy(stored: Path, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    copyfile(stored, file)
