"""`gander explain`: a picture and a question in, one HTML file out that shows how the answer came about."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from adapters.cli.answer import show_answer
from adapters.cli.ask import make_request
from adapters.cli.engine_access import open_engine
from adapters.errors import UsageError
from adapters.terminal.console import consoles
from bot.answers.accumulate import Draft
from bot.config.load import data_home
from bot.insight.how import How
from bot.insight.how_page import how_page
from bot.texts import load_texts, match_language
from engine.explanation import ExplainRequest


async def explain_once(
    picture: Path, question: str, sampling: Mapping[str, float], out: Path, language: str, model: str | None, engine_url: str | None
) -> None:
    """Raises UsageError, and what the engine's client raises."""
    spoken = match_language(language)
    if spoken is None:
        raise UsageError(f"--language {language}: there are en, zh-CN and zh-TW.")
    if not out.parent.is_dir():  # told before anything is worked out
        raise unwritable(out, "its folder does not exist")
    answers, remarks = consoles()
    request = await make_request([picture], question, sampling)
    async with open_engine(remarks, data_home(os.environ), model, engine_url) as (client, health):
        asked = request.model_copy(update={"model": health.model, "beam_tree": "num_beams" in sampling and sampling["num_beams"] > 1})
        answer = await show_answer(answers, client.stream(asked))
        explained = await client.explain(ExplainRequest.about(asked, said(answer.draft, health.model)))
    how = How(question, explained, answer.draft.beams, answer.draft.length_penalty)
    await asyncio.to_thread(write, out, how_page(how, load_texts(), spoken))
    remarks.print(Text(f"How it came about: {out}", style="dim"))


def said(draft: Draft, model: str) -> str:
    """Raises UsageError where that is nothing."""
    if not draft.text:
        raise UsageError(f"{model} answered nothing, so there is nothing to explain. Ask something else.")
    return draft.text


def write(out: Path, page: str) -> None:
    try:
        out.write_text(page, "utf-8")
    except OSError as error:
        raise unwritable(out, error.strerror) from None


def unwritable(out: Path, why: str | None) -> UsageError:
    return UsageError(f"{out} can't be written: {why}. Choose another file with --out.")
