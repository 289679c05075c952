"""Generates one answer: makes the request, reads the engine's stream into a draft, and writes the notes below the answer."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Final

from bot import conversation
from bot.answer_settings import AnswerSettings
from bot.answers import bounds
from bot.answers.accumulate import Comparison, Draft
from bot.answers.in_steps import StepAnswers
from bot.background import beside
from bot.engines.engine import Engine
from bot.errors import EngineRefused, Fault, Refusal
from bot.looking.closer import CloserLooks, for_one_picture, looked_at, parts_alone
from bot.platform import Button
from bot.reading.picture_words import PictureWords
from bot.reading.quote import MOST, quotes
from bot.regions import Region
from bot.sanitize import safe_name
from bot.store import graph
from bot.store.database import Database
from bot.store.graph import Turn
from bot.store.jobs import Job
from bot.store.pictures import PictureFiles
from bot.store.tables import Finish
from bot.texts import Texts
from engine.api import ChatRequest, Health, StreamOptions
from engine.writing import language_of

PROMPT_TOKENS_PER_CHARACTER = 0.3  # of plain English; used for fairness and estimates only
PICTURE_TOKENS = 64
DEFAULT_ANSWER_TOKENS = 300
OnChunk = Callable[[], None]  # called after each chunk
LONGEST_LOOKED_AT = 10_000  # characters of a question, to tell its language by
LEAST_LETTERS = 250  # of quoted writing: with fewer, what is too long is the conversation
ALTERNATIVES = 6  # alternatives requested for each token
FAULT_TEXTS: Final[Mapping[Fault, str]] = {  # what people are told of faults that only the operator can fix
    Fault.KEY: "answer.fault_key",
    Fault.QUOTA: "answer.fault_quota",
    Fault.MODEL: "answer.fault_model",
    Fault.SERVER: "answer.fault_server",
    Fault.SIGHT: "answer.fault_sight",
    Fault.START: "answer.fault_start",
}


def expected_cost(text: str, pictures: int, settings: AnswerSettings) -> int:
    """Tokens that a question may cost, times its beams; replaced by the true count when it is answered."""
    prompt = round(len(text) * PROMPT_TOKENS_PER_CHARACTER) + PICTURE_TOKENS * pictures
    return prompt + (settings.max_new_tokens or DEFAULT_ANSWER_TOKENS) * (settings.beams or 1)


def answer_buttons(finish: str | None) -> tuple[Button, ...]:
    """The buttons below an answer by how it ended; None: it has not ended."""
    if finish is None:
        return (Button.STOP,)
    return (*((Button.CONTINUE,) if finish == Finish.LENGTH else ()), Button.AGAIN, Button.SETTINGS)


def shown_text(texts: Texts, language: str, text: str, finish: str | None) -> str:
    """The text to show; an answer that ended without any gets a sentence that says so."""
    if text.strip() or finish is None:
        return text
    return texts.render(language, "answer.stopped" if finish == Finish.STOPPED else "answer.empty")


class Cancellation:
    """Lets another task end a stream, midway or before it begins: `async with` it around the reading."""

    def __init__(self) -> None:
        self._asked = False
        self._scope: asyncio.Timeout | None = None

    def cancel(self) -> None:
        self._asked = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> None:
        self._scope = asyncio.timeout(0 if self._asked else None)
        await self._scope.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """Suppress the timeout that `cancel` caused, and no other error."""
        scope, self._scope = self._scope, None
        if scope is None:
            return False
        try:
            await scope.__aexit__(kind, error, trace)
        except TimeoutError:
            return True
        return False


class AnswerGenerator:
    """Asks engines for answers."""

    def __init__(
        self, database: Database, files: PictureFiles, texts: Texts, words: PictureWords, closer_looks: CloserLooks, steps: StepAnswers
    ) -> None:
        self._database = database
        self._files = files
        self._texts = texts
        self._words = words
        self._closer_looks = closer_looks
        self._steps = steps

    async def answer(
        self,
        engine: Engine,
        job: Job,
        turns: Sequence[Turn],
        draft: Draft | Comparison,
        on_chunk: OnChunk,
        *,
        health: Health | None = None,
        explained: bool = False,
    ) -> None:
        """Fill `draft`; `on_chunk` is called after each chunk. The columns of a comparison are asked for at once: the engine
        takes them into one batch, and looks at the picture once. `explained`: the engine is asked how its choices came about.
        `health`: the engine's, by which its pictures are looked at closer.
        Raises what Engine raises, and Refusal where a picture is not kept any more.
        """
        try:
            if isinstance(draft, Draft) and (turns[-1].look or {}).get("steps"):
                if await self._steps.answer(engine, job, turns, draft, on_chunk, health):
                    return
                draft.unstepped = True
            turns = await self._closer_looks.look(turns, job, health)
        except FileNotFoundError:
            raise Refusal("answer.picture_gone") from None
        job = replace(job, settings=as_spoken(job.settings, health))
        one_picture = health is not None and health.one_picture
        for each in draft.drafts:
            each.looked = looked_at(turns, one_picture=one_picture)
            each.part_alone = one_picture
            each.answer_language = job.settings.answer_language
            each.foreign = is_foreign(turns[-1].text, health)
        turns = for_one_picture(turns) if one_picture else turns
        if finding(turns):
            if health is not None and not health.finds:
                raise Refusal("find.no_places")
            turns = conversation.about_newest_picture(turns)
        if isinstance(draft, Comparison):
            await self._answer_columns(engine, job, turns, draft, on_chunk)
        else:
            await self._answer(engine, job, turns, draft, on_chunk, explained=explained)

    async def _answer(
        self,
        engine: Engine,
        job: Job,
        turns: Sequence[Turn],
        draft: Draft,
        on_chunk: OnChunk,
        *,
        explained: bool = False,
        letters: int = MOST,
    ) -> None:
        """`letters`: as many characters of the writing in its pictures are quoted. What is too long is asked again with less."""
        writing = quotes(turns, await self._words.of_turns(turns), letters)
        draft.turns, draft.writing = turns, writing
        request = await self._request(job, turns, writing)
        draft.pictured = next((turn.sha256s[-1] for turn in reversed(turns) if turn.sha256s), "")
        most, until = bounds.most_characters(job.settings), monotonic() + bounds.LONGEST_SECONDS
        try:
            async with (
                beside(bounds.watch_silence(engine, lambda: draft.tokens)),
                aclosing(engine.stream(with_explanation(request) if explained else request, job.name)) as chunks,
            ):
                async for chunk in chunks:
                    draft.add(chunk)
                    on_chunk()
                    if len(draft.text_so_far) > most or monotonic() > until:
                        draft.finish = Finish.LENGTH
                        break
        except EngineRefused as refused:
            if refused.too_long and writing and letters >= LEAST_LETTERS:
                return await self._answer(engine, job, turns, draft, on_chunk, explained=explained, letters=letters // 2)
            part = parts_alone(turns)
            if part != tuple(turns) and (refused.too_long or refused.fault is Fault.REQUEST):  # it may take fewer pictures
                draft.part_alone = True
                return await self._answer(engine, job, part, draft, on_chunk, explained=explained, letters=letters)
            fewer = conversation.with_fewer_frames(turns)
            if refused.too_long and fewer != tuple(turns):
                return await self._answer(engine, job, fewer, draft, on_chunk, explained=explained, letters=letters)
            shorter = conversation.without_oldest(turns, max(len(turns) // 2, 1))
            if not refused.too_long or shorter == tuple(turns):
                raise
            draft.dropped += sum(bool(turn.text) for turn in turns) - sum(bool(turn.text) for turn in shorter)
            await self._answer(engine, job, shorter, draft, on_chunk, explained=explained, letters=letters)

    async def _answer_columns(self, engine: Engine, job: Job, turns: Sequence[Turn], comparison: Comparison, on_chunk: OnChunk) -> None:
        columns = [replace(job, settings=settings) for settings in job.varied.each(job.settings)] if job.varied else []
        try:
            async with asyncio.TaskGroup() as tasks:
                for column, draft in zip(columns, comparison.drafts, strict=True):
                    tasks.create_task(self._answer(engine, column, turns, draft, on_chunk))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def footer_notes(self, job: Job, branch: Sequence[Turn], draft: Draft | Comparison) -> tuple[str, ...]:
        """Notes for the small line below an answer, in its language: whose picture, what was left out, how it ended."""
        language, notes = job.settings.language, []
        seen = conversation.sight(branch)
        # A direct reply shows already whose picture is meant.
        if seen and seen.person != job.person and seen not in branch[-2:]:
            name = safe_name(await self._database.read(graph.name_of, seen.person))
            notes.append(self._texts.render(language, "answer.about" if name else "answer.about_earlier", name=name))
        if draft.trace and not draft.unstepped:
            notes.append(self._texts.render(language, "steps.by_model" if draft.trace["by_model"] else "steps.by_us"))
        if draft.unstepped:
            notes.append(self._texts.render(language, "steps.plain"))
        if draft.looked:
            parts = ", ".join(dict.fromkeys(self._region(language, region) for region in draft.looked))
            notes.append(self._texts.render(language, "zoom.alone" if draft.part_alone else "zoom.looked", parts=parts))
        if draft.dropped:
            notes.append(self._texts.render(language, "answer.dropped", count=draft.dropped))
        if draft.foreign and draft.prompt_tokens:  # without a prompt the engine said so itself
            notes.append(self._texts.render(language, "answer.english_only"))
        if draft.filtered:
            notes.append(self._texts.render(language, "answer.filtered"))
        if draft.finish is Finish.LENGTH:
            notes.append(self._texts.render(language, "answer.cut", count=draft.tokens))
        if draft.finish is Finish.STOPPED:
            notes.append(self._texts.render(language, "answer.stopped"))
        return tuple(notes)

    def _region(self, language: str, region: Region) -> str:
        return self._texts.render(language, f"region.{region.name}", edges=region.percent)

    async def request(self, job: Job, draft: Draft) -> ChatRequest:
        """What an engine was asked for an answer that is made. Raises Refusal where a picture is not kept any more."""
        asked = replace(job, settings=replace(job.settings, answer_language=draft.answer_language))
        return await self._request(asked, draft.turns, draft.writing)

    async def _request(self, job: Job, turns: Sequence[Turn], writing: Mapping[int, str]) -> ChatRequest:
        settings = job.settings
        question = turns[-1]
        if not question.text:
            turns = (*turns[:-1], replace(question, text=self._texts.render(settings.language, "answer.describe")))
        return ChatRequest(
            messages=conversation.messages(turns, await self._data_urls(turns), self._system_prompt(settings), writing, settings.detail),
            stream=True,
            stream_options=StreamOptions(include_usage=True),
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            num_beams=settings.beams,
            repetition_penalty=settings.repetition_penalty,
            length_penalty=settings.length_penalty,
            max_tokens=settings.max_new_tokens,
            prompt_cache_key=question.conversation,
            **({"find": thing} if (thing := finding(turns)) else {}),
        )

    def _system_prompt(self, settings: AnswerSettings) -> str | None:
        """What people set, and in which language the answer is wanted, said in that language."""
        wanted = settings.answer_language and self._texts.render(settings.answer_language, "answer.in_this_language")
        return "\n\n".join(filter(None, (settings.system_prompt, wanted))) or None

    async def _data_urls(self, turns: Sequence[Turn]) -> dict[str, str]:
        types = {sha256: kind for turn in turns for sha256, kind in zip(turn.sha256s, turn.media_types, strict=True)}
        try:
            return {sha256: await asyncio.to_thread(self._data_url, sha256, kind) for sha256, kind in types.items()}
        except FileNotFoundError:  # deleted meanwhile; or the picture folder was lost, or not restored with the database
            raise Refusal("answer.picture_gone") from None

    def _data_url(self, sha256: str, media_type: str) -> str:
        return f"data:{media_type};base64,{b64encode(self._files.path(sha256).read_bytes()).decode('ascii')}"


def as_spoken(settings: AnswerSettings, health: Health | None) -> AnswerSettings:
    """Without a language of the answer where nobody knows the model, or where it has one language alone, or not this one."""
    spoken = health.languages if health is not None else ("",)
    wanted = (settings.answer_language or "").partition("-")[0]
    can = not spoken or (len(spoken) > 1 and wanted in {language.partition("-")[0] for language in spoken})
    return settings if can else replace(settings, answer_language=None)


def is_foreign(question: str, health: Health | None) -> bool:
    """Whether a question is in a language that is told by its script, and that the model's makers don't name."""
    language = language_of(question[:LONGEST_LOOKED_AT])
    if health is None or not health.languages or language == "und":
        return False
    return not any(known.startswith(language) for known in health.languages)


def finding(turns: Sequence[Turn]) -> str:
    """What the question, the last turn, asks the place of; empty: it asks something else."""
    return str((turns[-1].look or {}).get("find", ""))


def with_explanation(request: ChatRequest) -> ChatRequest:
    """The request with alternatives for each token, or the beam search's tree, asked for too."""
    if (request.num_beams or 1) > 1:
        return request.model_copy(update={"beam_tree": True})
    return request.model_copy(update={"logprobs": True, "top_logprobs": ALTERNATIVES})
