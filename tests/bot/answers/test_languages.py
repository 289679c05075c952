"""The language of answers: set by `/language` where the model knows it, and said where it was never trained in the question's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.answer_settings import AnswerSettings
from bot.answers.generate import as_spoken, is_foreign
from bot.store.database import sqlite_url
from engine.api import ChatRequest, Health
from tests.bot.rig import Rig, ScriptedEngine, echo, running


def health(*languages: str) -> Health:
    return Health(status="ready", model="m", device="none", memory_bytes=0, rows=1, languages=languages)


@dataclass
class Polyglot(ScriptedEngine):
    languages: tuple[str, ...] = field(default=())

    async def health(self) -> Health:
        return (await super().health()).model_copy(update={"languages": self.languages})


@asynccontextmanager
async def speaking(home: Path, *languages: str) -> AsyncIterator[Rig]:
    engine = Polyglot(echo, languages=languages)
    engine.gate.set()
    async with running(sqlite_url(home / "gander.db"), home, engine) as rig:
        yield rig


async def asked(rig: Rig, question: str) -> ChatRequest:
    count = len(rig.engine.requests)
    await rig.say(question)
    await rig.until(lambda: len(rig.engine.requests) > count)
    return rig.engine.requests[-1]


async def test_language_is_asked_of_a_model_that_knows_it(tmp_path: Path) -> None:
    async with speaking(tmp_path, "en", "zh") as rig:
        assert (await asked(rig, "What is a goose?")).messages[0].role == "user"
        await rig.press("language", value="中文")
        await rig.until(lambda: bool(rig.chat.finals()))
        system, *_ = (await asked(rig, "And a duck?")).messages
        assert (system.role, system.content) == ("system", "请用简体中文回答。")
        assert not any("英文训练" in message.footer for message in rig.chat.messages.values())


async def test_below_an_answer_of_a_model_of_one_language_that_is_said(tmp_path: Path) -> None:
    async with speaking(tmp_path, "en") as rig:
        await rig.press("language", value="中文", scope="me")
        await rig.until(lambda: bool(rig.chat.finals()))
        assert (await asked(rig, "什么是鹅？")).messages[0].role == "user"
        await rig.until(lambda: any("英文训练" in message.footer for message in rig.chat.messages.values()))


@pytest.mark.parametrize(
    ("languages", "wanted", "kept"),
    [((), "zh-CN", True), (("en", "zh"), "zh-TW", True), (("en",), "zh-CN", False), (("en",), "en", False), (("en", "de"), "zh-CN", False)],
)
def test_what_a_model_can_speak(languages: tuple[str, ...], wanted: str, kept: bool) -> None:
    settings = AnswerSettings(answer_language=wanted)
    assert as_spoken(settings, health(*languages)).answer_language == (wanted if kept else None)
    assert as_spoken(settings, None).answer_language is None


@pytest.mark.parametrize(
    ("languages", "question", "foreign"),
    [(("en",), "这是什么？", True), (("en",), "What is this?", False), (("en", "zh"), "这是什么？", False), ((), "这是什么？", False)],
)
def test_which_questions_are_foreign_to_a_model(languages: tuple[str, ...], question: str, foreign: bool) -> None:
    assert is_foreign(question, health(*languages)) == foreign
