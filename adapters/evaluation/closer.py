"""`gander evaluate zoom` and `gander evaluate steps`: small things in large pictures, asked about whole, looked at closer, and in steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from adapters.evaluation.small_things import SceneQuestion
from adapters.terminal.pictures import picture_parts
from bot.answers.in_steps import USUAL_EYE, PictureTools, program_for
from bot.engines.client import EngineClient
from bot.looking.automatic import LARGER, parts_to_see
from bot.media.decoder_pool import Decoders, DecodingLimits
from bot.media.intake import FileLimits, Intake
from bot.message import Picture
from bot.reading.reader import PictureReader, ReadingLimits
from bot.regions import Region, closer_note, without_region
from bot.steps.interpreter import Run, StepFailed
from engine.api import ChatRequest, Health, Message, TextPart
from engine.writing import quote_writing

MOST_TOKENS = 80


@dataclass
class KindScore:
    """Of a kind of question: how many there were, and how many answers were right plainly, and closer or in steps. `fell_back`: of
    those in steps, how many were plain answers after all."""

    count: int = 0
    plain: int = 0
    better: int = 0
    fell_back: int = 0


@dataclass
class Evaluator:
    """Asks as the bot would."""

    client: EngineClient
    health: Health
    intake: Intake
    reader: PictureReader | None

    async def taken(self, question: SceneQuestion) -> Picture:
        """The picture as the bot keeps it."""
        return await self.intake.decode(question.picture, "PNG")

    async def part(self, picture: Picture, region: Region) -> Picture:
        """Cut out as the bot does, of the file as it was sent where that shows more."""
        return await self.intake.crop(picture.original or picture.data, region.box)

    async def plain(self, picture: Picture, text: str) -> str:
        words = await self.reader.read(picture.data) if self.reader else ""
        return await self.ask([picture], (quote_writing(words) if words else "") + text)

    async def closer(self, picture: Picture, text: str) -> str:
        one = self.health.one_picture
        regions = parts_to_see(text, longer_side(picture), self.health.eye_pixels or USUAL_EYE, one_picture=one, quoted=False)
        parts = [await self.part(picture, region) for region in regions]
        if not parts:
            return await self.plain(picture, text)
        if one:
            return await self.ask(parts[-1:], without_region(text))
        return await self.ask([picture, *parts], f"{closer_note(regions)}\n{text}")

    async def steps(self, picture: Picture, text: str) -> str | None:
        """None: no program fits, or a step gave nothing."""
        large = longer_side(picture) >= LARGER * (self.health.eye_pixels or USUAL_EYE)
        tools = PictureTools(self.client, self.reader, lambda region: self.part(picture, region), large, "", "evaluation")
        program, _ = await program_for(tools, text, self.health)
        if program is None:
            return None
        try:
            result = await Run(program, tools).answer()
        except StepFailed:
            return None
        return {True: "Yes.", False: "No."}[result] if isinstance(result, bool) else str(result)

    async def ask(self, pictures: list[Picture], text: str) -> str:
        shown = [replace(picture, seconds=None) for picture in pictures]
        message = Message(role="user", content=(*picture_parts(shown), TextPart(text=text)))
        request = ChatRequest(messages=(message,), model=self.health.model, temperature=0, max_tokens=MOST_TOKENS, stream=True)
        return "".join([choice.delta.content or "" async for chunk in self.client.stream(request) for choice in chunk.choices])


def longer_side(picture: Picture) -> int:
    """Pixels of what parts are cut out of."""
    return max(picture.width, picture.height, picture.original_side)


@asynccontextmanager
async def evaluator(client: EngineClient, health: Health, *, reads: bool) -> AsyncIterator[Evaluator]:
    decoders, reader = Decoders(DecodingLimits(), count=1), PictureReader(ReadingLimits(seconds=120)) if reads else None
    try:
        yield Evaluator(client, health, Intake(FileLimits(), decoders), reader)
    finally:
        await decoders.close()
        if reader is not None:
            await reader.close()


async def measure_zoom(asks: Evaluator, questions: Iterable[SceneQuestion]) -> dict[str, KindScore]:
    """Right answers by kind: about the whole picture alone, and with the part that the question names."""
    scores: dict[str, KindScore] = {}
    for question in questions:
        picture, score = await asks.taken(question), scores.setdefault(question.kind, KindScore())
        score.count += 1
        score.plain += question.right(await asks.plain(picture, question.text))
        score.better += question.right(await asks.closer(picture, question.text))
    return scores


async def measure_steps(asks: Evaluator, questions: Iterable[SceneQuestion]) -> dict[str, KindScore]:
    """Right answers by kind: plainly, and in steps, after which the plain answer counts where they lead nowhere."""
    scores: dict[str, KindScore] = {}
    for question in questions:
        picture, score = await asks.taken(question), scores.setdefault(question.kind, KindScore())
        score.count += 1
        plainly = await asks.plain(picture, question.text)
        stepwise = await asks.steps(picture, question.text)
        score.plain += question.right(plainly)
        score.better += question.right(plainly if stepwise is None else stepwise)
        score.fell_back += stepwise is None
    return scores
