"""`gander ask`: pictures and a question in, a streamed answer out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.text import Text

from adapters.cli.answer import Answer, show_answer
from adapters.cli.engine_access import open_engine
from adapters.errors import UsageError
from adapters.terminal.console import consoles
from adapters.terminal.pictures import picture_parts, take_pictures
from bot.config.load import data_home
from bot.conversation import points_at_nothing
from bot.errors import Refusal
from bot.message import Picture
from bot.reading.quote import MOST, neutralise, shortened
from bot.reading.reader import PictureReader, ReadingLimits, can_read
from bot.store.tables import Finish
from engine.api import ChatRequest, Message, TextPart
from engine.writing import asks_to_read, quote_writing

OPTION_NAMES = {"num_beams": "beams"}  # fields of the wire that people know by another name


async def ask_once(
    files: Sequence[Path],
    question: str,
    sampling: Mapping[str, float],
    model: str | None,
    engine_url: str | None,
    adapters: Sequence[str] = (),
) -> None:
    """With the first of the adapters, each a name and its folder, or the name alone of one that the engine has already."""
    answers, remarks = consoles()
    if not files and points_at_nothing(question):
        raise UsageError(f'Which picture? Name its file before the question: gander ask cat.jpg "{question}"')
    request = await make_request(files, question, sampling)
    async with open_engine(remarks, data_home(os.environ), model, engine_url, adapters=adapters) as (client, health):
        answer = await show_answer(answers, client.stream(request.model_copy(update={"model": health.model, **adapted(adapters)})))
    for remark in remarks_on(answer):
        remarks.print(Text(remark, style="dim"))


def adapted(adapters: Sequence[str]) -> dict[str, str]:
    return {"adapter": adapters[0].partition("=")[0]} if adapters else {}


async def make_request(files: Sequence[Path], question: str, sampling: Mapping[str, float]) -> ChatRequest:
    """One question about these files. Raises FileError, Refusal for a picture, UsageError for a value out of its range."""
    pictures = await take_pictures(files)
    parts = (*picture_parts(pictures), *await quoted_words(pictures, question))
    message = Message(role="user", content=(*parts, TextPart(text=question)))
    try:
        return ChatRequest.model_validate({"messages": (message,), **sampling})
    except ValidationError as error:
        raise UsageError("\n".join(map(sentence, error.errors()))) from None


async def quoted_words(pictures: Sequence[Picture], question: str) -> list[TextPart]:
    """What is written in the pictures, for a question about writing; nothing where it can't be read."""
    if not (pictures and can_read() and asks_to_read(question)):
        return []
    reader = PictureReader(ReadingLimits())
    try:
        words = [neutralise(await reader.read(picture.data)) for picture in pictures]
    except Refusal:
        return []
    finally:
        await reader.close()
    return [TextPart(text=quote_writing(shortened(each, MOST))) for each in words if each]


def sentence(fault: ErrorDetails) -> str:
    """What is wrong with an option, by the name that it has on the command line."""
    field = str(fault["loc"][0])
    return f"--{OPTION_NAMES.get(field, field).replace('_', '-')} {fault['input']}: {fault['msg'].replace('Input should', 'it should')}."


def remarks_on(answer: Answer) -> list[str]:
    """What a reader must know of the answer besides its text."""
    remarks = []
    if answer.draft.finish is Finish.LENGTH:
        remarks.append("The answer ran into its token limit; --max-tokens raises it.")
    if answer.draft.dropped:
        remarks.append(f"The conversation was too long: the oldest {answer.draft.dropped} messages were left out.")
    return remarks
