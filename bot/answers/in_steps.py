"""Answers a question in steps: the model writes a program for it, or a ready-made one is taken; the program runs over the picture."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import time
from typing import Final, Protocol

import structlog

from bot import conversation
from bot.answers.accumulate import Draft
from bot.engines.engine import Engine
from bot.errors import EngineRefused, Refusal
from bot.looking.automatic import LARGER
from bot.looking.sharpest import cut, longer_side
from bot.media.intake import Intake
from bot.message import Picture
from bot.reading.picture_words import PictureWords
from bot.regions import Region
from bot.sanitize import sanitize_text
from bot.steps.interpreter import MOST_SECONDS, Result, Run, StepFailed, shown
from bot.steps.language import Program, ProgramError
from bot.steps.ready_made import ready_made
from bot.steps.sheet import drawn, names
from bot.steps.trace import trace_lines, trace_of
from bot.steps.writing import program_request, read_program
from bot.store import questions
from bot.store.database import Database
from bot.store.graph import Turn
from bot.store.jobs import Job
from bot.store.pictures import PictureFiles
from bot.store.tables import Finish
from bot.texts import Texts
from engine.api import ChatRequest, Health, ImagePart, ImageUrl, Message, TextPart
from engine.writing import fenced

USUAL_EYE: Final = 1000  # pixels, of a server that does not say
MOST_TOKENS: Final = 80  # of a step's answer
MOST_CHARACTERS: Final = 4_000  # of a program, and of a step's answer

log = structlog.get_logger(__name__)


class WordsReader(Protocol):
    """What reads the writing in a picture: PictureWords, or reader.PictureReader itself."""

    async def read(self, data: bytes, whose: str = "") -> str: ...


@dataclass
class PictureTools:
    """What a program may do with one picture. Implements interpreter.Tools."""

    engine: Engine
    words: WordsReader | None  # None: nothing is read here
    cut: Callable[[Region], Awaitable[Picture]]  # a part of the picture
    large: bool
    whose: str
    name: str  # the job's
    tokens: int = 0  # that the model wrote
    crops: dict[Region, Picture] = field(default_factory=dict)

    async def ask(self, region: Region, question: str) -> str:
        crop = await self._crop(region)
        url = f"data:{crop.media_type};base64,{b64encode(crop.data).decode('ascii')}"
        content = (ImagePart(image_url=ImageUrl(url=url)), TextPart(text=question))
        request = ChatRequest(messages=(Message(role="user", content=content),), temperature=0.0, max_tokens=MOST_TOKENS, stream=True)
        return await self.write(request)

    async def read(self, region: Region) -> str:
        return await self.words.read((await self._crop(region)).data, self.whose) if self.words else ""

    async def write(self, request: ChatRequest) -> str:
        """What the model says, as much as anybody would read: a server may know no `max_tokens`."""
        draft = Draft()
        async with aclosing(self.engine.stream(request, self.name)) as chunks:
            async for chunk in chunks:
                draft.add(chunk)
                if len(draft.text_so_far) > MOST_CHARACTERS:
                    break
        self.tokens += draft.tokens
        return draft.text_so_far

    async def _crop(self, region: Region) -> Picture:
        if region not in self.crops:
            self.crops[region] = await self.cut(region)
        return self.crops[region]


class StepAnswers:
    """Runs programs for questions that were asked with `/steps`."""

    def __init__(self, database: Database, files: PictureFiles, intake: Intake, words: PictureWords, texts: Texts) -> None:
        self._database = database
        self._files = files
        self._intake = intake
        self._words = words
        self._texts = texts

    async def answer(
        self, engine: Engine, job: Job, turns: Sequence[Turn], draft: Draft, on_chunk: Callable[[], None], health: Health | None
    ) -> bool:
        """Fill `draft` with the answer, and its `trace`. False: no program fits, or its steps gave nothing, and the plain answer is due.

        Raises EngineUnavailable and AnswerLost, and FileNotFoundError for a picture that is not kept any more.
        """
        question, seen = turns[-1].text, conversation.sight(turns)
        if seen is None:
            return False
        eye = (health.eye_pixels if health else None) or USUAL_EYE
        large = await longer_side(self._files, seen.sha256s[0], seen.sizes[0]) >= LARGER * eye

        def part(region: Region) -> Awaitable[Picture]:
            return cut(self._files, self._intake, seen.sha256s[0], region.box, job.person)

        tools = PictureTools(engine, self._words, part, large, job.person, job.name)
        program, by_model = await program_for(tools, question, health)
        if program is None:
            return False
        run = Run(program, tools)

        def tell() -> None:
            draft.trace = trace_of(program, run.steps, by_model=by_model)
            draft.preview = fenced(trace_lines(draft.trace))
            on_chunk()

        run.tell = tell
        tell()
        try:
            result = await run.answer()
        except (StepFailed, Refusal, EngineRefused) as failure:
            log.info("steps_failed", reason=str(failure))
            draft.preview = ""
            return False
        draft.tokens, draft.finish, draft.preview = tools.tokens, Finish.STOP, ""
        draft.text_so_far = sanitize_text(self._said(result, program, job.settings.language))
        if draft.trace is not None:
            draft.trace |= await self._keep_sheet(job, seen.sha256s[0], tools.crops)
        return True

    async def _keep_sheet(self, job: Job, part_of: str, parts: Mapping[Region, Picture]) -> dict[str, str]:
        """Store what was looked at with the answer; for its trace. Empty: nothing was, or it was deleted meanwhile."""
        if not parts:
            return {}
        sheet = await asyncio.to_thread(drawn, parts)
        await self._files.save(sheet.sha256, sheet.data)
        kept = await self._database.write(questions.keep_sheet, job.answer, part_of, sheet, time())
        return {"sheet": sheet.sha256, "seen": names(parts)} if kept else {}

    def _said(self, result: Result, program: Program, language: str) -> str:
        if isinstance(result, bool):
            return self._texts.render(language, "steps.yes" if result else "steps.no")
        last = next(call.function for call in reversed(program.calls) if call.name == program.answer)
        if last == "read":
            return fenced(str(result))
        if last == "where":
            return self._texts.render(language, f"region.{str(result).replace(' ', '_')}")
        return str(result) if isinstance(result, int | str) else shown(result)


async def program_for(tools: PictureTools, question: str, health: Health | None) -> tuple[Program | None, bool]:
    """The program, and whether the model wrote it. A model that knows one picture alone is a toy, and is not asked."""
    if health is None or not health.one_picture:
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return read_program(await tools.write(program_request(question))), True
        except (ProgramError, EngineRefused, TimeoutError) as failure:
            log.info("no_program_written", reason=str(failure))
    return ready_made(question), False
