"""The sharpest file that is kept of a picture, of which parts are cut: the one that was sent, where it is larger, else the stored one."""

from __future__ import annotations

import structlog

from bot.errors import Refusal
from bot.media.decoder_pool import Box
from bot.media.intake import FILMS, HEAD, Intake, moves, recognise
from bot.message import Picture
from bot.store.pictures import PictureFiles

log = structlog.get_logger(__name__)


async def cut(files: PictureFiles, intake: Intake, sha256: str, box: Box, whose: str) -> Picture:
    """The part in `box` of a stored picture. Raises Refusal, and FileNotFoundError where the picture is not kept any more."""
    stored = await files.load(sha256)
    original = await files.original(sha256)
    if original is not None and _stands_still(original):
        try:
            return await intake.crop(original, box, whose)
        except Refusal as refusal:  # it was made smaller while it was decoded; a part of it needs the whole, which may be too much
            log.info("original_not_used", reason=refusal.key)
    return await intake.crop(stored, box, whose)


async def longer_side(files: PictureFiles, sha256: str, size: tuple[int, int]) -> int:
    """Pixels of the longer side of what parts of a picture are cut out of; `size`: of the stored one."""
    return max(*size, await files.original_side(sha256))


def _stands_still(data: bytes) -> bool:
    kind = recognise(data[:HEAD])
    return kind not in FILMS and not moves(data, kind)
