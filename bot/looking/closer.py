"""Cuts the parts out of pictures with which a question is looked at closer, and keeps them with the question: a second try, and all that
follows in the conversation, is shown the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import time
from typing import Final

from bot import conversation
from bot.looking.automatic import parts_to_see
from bot.looking.sharpest import cut, longer_side
from bot.media.intake import Intake
from bot.reading.quote import needed
from bot.regions import Region, stored_region, without_region
from bot.store import questions
from bot.store.database import Database
from bot.store.graph import Turn
from bot.store.jobs import Job
from bot.store.pictures import PictureFiles
from bot.store.questions import Crop
from engine.api import Health

MOST_PICTURES: Final = 4  # of one message, that a part is shown of


class CloserLooks:
    """Makes the parts that a question asks for, or needs (bot/looking/automatic.py)."""

    def __init__(self, database: Database, files: PictureFiles, intake: Intake) -> None:
        self._database = database
        self._files = files
        self._intake = intake

    async def look(self, turns: Sequence[Turn], job: Job, health: Health | None) -> tuple[Turn, ...]:
        """The turns with the parts to look at in the last, which is the question.

        Raises Refusal, and FileNotFoundError for a picture that is not kept any more.
        """
        turns = [_as_set(turn, job) for turn in turns]
        question, seen = turns[-1], conversation.sight(turns)
        if seen and question.shown == len(question.sha256s):
            regions = await self._regions(question, seen, job, health)
            made: Sequence[Crop] = [
                await self._crop(sha256, region, job.person) for region in regions for sha256 in seen.sha256s[: _count(seen)]
            ]
            kept = await self._database.write(questions.add_crops, question.id, made, time()) if made else False
            turns[-1] = _with(question, made) if kept else question
        return tuple(turns)

    async def _regions(self, question: Turn, seen: Turn, job: Job, health: Health | None) -> tuple[Region, ...]:
        asked = (question.look or {}).get("region")
        if (question.look or {}).get("find"):
            return ()
        if asked:
            return (stored_region(asked),)
        if health is None or job.settings.zoom != "on" or _count(seen) != 1 or seen.seconds[0] is not None:
            return ()
        quoted = needed(seen.words[0] or "", [question.text])
        side = await longer_side(self._files, seen.sha256s[0], seen.sizes[0])
        return parts_to_see(question.text, side, health.eye_pixels, one_picture=health.one_picture, quoted=quoted)

    async def _crop(self, sha256: str, region: Region, whose: str) -> Crop:
        picture = await cut(self._files, self._intake, sha256, region.box, whose)
        await self._files.save(picture.sha256, picture.data)
        return Crop(sha256, region.stored, picture)


def looked_at(turns: Sequence[Turn], *, one_picture: bool) -> tuple[Region, ...]:
    """The parts that the last turn is answered with: its own, and with one picture those that the conversation is about."""
    newest = next((turn for turn in reversed(turns) if turn.sha256s), None)
    turn = newest if one_picture else turns[-1]
    return tuple(dict.fromkeys(stored_region(region) for region in turn.regions if region)) if turn else ()


def parts_alone(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """For a model that takes fewer pictures: the newest part in the place of the whole."""
    at = next((at for at in reversed(range(len(turns))) if turns[at].shown < len(turns[at].sha256s)), None)
    if at is None:
        return tuple(turns)
    before = (conversation.only(turn, ()) for turn in turns[:at])
    newest = replace(conversation.only(turns[at], (len(turns[at].sha256s) - 1,)), regions=())  # it is the whole for that model
    kept = (*before, newest, *turns[at + 1 :])
    return tuple(turn for turn in kept if turn.text or turn.sha256s)


def for_one_picture(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """For a model that is shown the newest picture alone: a part that nobody asked for is for its own question, which is put as one
    about that part."""
    question = turns[-1]
    asked = [turn for turn in turns[:-1] if (turn.look or {}).get("region")]
    earlier = [turn if turn in asked else conversation.only(turn, range(turn.shown)) for turn in turns[:-1]]
    if any(question.regions):
        question = replace(question, text=without_region(question.text))
    return tuple(replace(turn, regions=()) for turn in (*earlier, question) if turn.text or turn.sha256s)


def _count(seen: Turn) -> int:
    return min(seen.shown, MOST_PICTURES)


def _as_set(turn: Turn, job: Job) -> Turn:
    """Without what was looked at closer by itself, where this is turned off now."""
    automatic = turn.shown < len(turn.sha256s) and not (turn.look or {}).get("region")
    return conversation.only(turn, range(turn.shown)) if automatic and job.settings.zoom != "on" else turn


def _with(question: Turn, made: Sequence[Crop]) -> Turn:
    found = [crop.picture for crop in made]
    return replace(
        question,
        sha256s=(*question.sha256s, *(each.sha256 for each in found)),
        media_types=(*question.media_types, *(each.media_type for each in found)),
        seconds=(*(question.seconds or (None,) * len(question.sha256s)), *(None for _ in found)),
        words=(*question.words, *(None for _ in found)),
        regions=(*(question.regions or (None,) * len(question.sha256s)), *(crop.region for crop in made)),
        sizes=(*question.sizes, *((each.width, each.height) for each in found)),
    )
