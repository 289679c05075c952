"""Turns what the page sends into the bot's `Incoming`: bounded, checked, and never trusted to say who it is from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Annotated, TypeVar

from aiohttp import web
from multidict import MultiDictProxy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.requests import BROKEN_FORM, UPLOAD_SECONDS, within
from adapters.web.platform import author_of, number_of, place_of
from bot.ids import read_own
from bot.message import Address, Attachment, Incoming, Invocation, Reply
from bot.platform import Button

CHUNK_BYTES = 1 << 18

CHARACTERS = 16_000  # of one question

MessageId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
Shown = Annotated[str, Field(pattern=r"^([0-9a-f]{24}|stored-[1-9][0-9]{0,14})$")]  # a message on the page, as it is named there


class AnswerSettings(BaseModel):
    """The sliders that the person moved, for this one request."""

    model_config = ConfigDict(extra="forbid")

    temperature: float | None = None
    beams: int | None = None

    def options(self) -> dict[str, str | int | float | bool]:
        moved = {"temperature": self.temperature, "beams": self.beams}
        return {name: value for name, value in moved.items() if value is not None}


class Question(AnswerSettings):
    id: MessageId
    text: Annotated[str, Field(max_length=CHARACTERS)] = ""
    parent: Shown | None = None  # None: it begins a conversation
    instead_of: MessageId | None = None  # a question of theirs that this one is asked in the place of


class Press(AnswerSettings):
    id: MessageId
    button: Button
    answer: int


class SignIn(BaseModel):
    """What the login form sends. `code`: of another device, which makes this one the same person's; `to`: the page to go on to."""

    password: str
    code: str = ""
    to: str = ""


class Asking(BaseModel):
    """The multipart form of a question. `message` is a Question in JSON."""

    message: str
    picture: list[Annotated[str, Field(json_schema_extra={"format": "binary"})]] = []


Form = TypeVar("Form", bound=BaseModel)


class Unacceptable(web.HTTPException):
    """A request that the page can explain: `key` is one of its texts."""

    status_code = 400

    def __init__(self, key: str, **values: int | str) -> None:
        super().__init__(reason=key)
        self.body = web.json_response({"key": key, "values": values}).body
        self.content_type = "application/json"


class TooLarge(Unacceptable):
    status_code = 413


async def read_question(request: web.Request, max_pictures: int) -> tuple[Question, tuple[Attachment, ...]]:
    """The multipart form of a question. Its size is bounded by the server; pictures lie in temporary files meanwhile."""
    form = await read_form(request)
    question = validated(Question, str(form.get("message", "")))
    files = [part for part in form.getall("picture", []) if isinstance(part, web.FileField)]
    if len(files) > max_pictures:
        raise Unacceptable("error-too-many", count=max_pictures)
    return question, tuple(attachment(part) for part in files)


async def read_form(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """The fields of a form, urlencoded or multipart. Raises HTTPBadRequest for what is none."""
    try:
        return await within(UPLOAD_SECONDS, request, request.post())
    except web.HTTPException:
        raise
    except BROKEN_FORM:
        raise web.HTTPBadRequest(text="The form can't be read: it breaks off, or is not what its headers say.") from None


def validated(form: type[Form], text: str) -> Form:
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


def attachment(part: web.FileField) -> Attachment:
    return Attachment(part.filename, lambda: stream(part.file), content_type=part.content_type)


async def stream(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk


def asked(question: Question, attachments: tuple[Attachment, ...], person: str, command: Invocation | None, locale: str | None) -> Incoming:
    """A question, or the command that was typed. With sliders moved it goes as `ask`, which takes settings for one request."""
    if command is None and question.options():
        command = Invocation("ask", {"prompt": question.text, **question.options()})
    plain = event(question.id, person, command, locale)
    # A reply to nothing continues nothing: what is asked on an empty page begins a conversation, whatever else was said lately.
    parent = question.parent or ""
    reply = Reply(parent, number=number_of(parent))
    return replace(plain, text=question.text, attachments=attachments, reply_to=reply, instead_of=question.instead_of)


def pressed(press: Press, person: str, locale: str | None) -> Incoming:
    options = press.options() if press.button is Button.AGAIN else {}
    return event(press.id, person, Invocation(press.button, {"answer_id": press.answer, **options}), locale)


def event(event_id: str, person: str, command: Invocation | None, locale: str | None) -> Incoming:
    return Incoming(
        id=event_id,
        place=place_of(person),
        author=author_of(person),
        address=Address.COMMAND if command else Address.PRIVATE,
        sent_at=datetime.now(UTC),
        command=command,
        locale=locale,
    )


def locale_of(request: web.Request) -> str | None:
    """The language that the page is shown in: its script names it here, whatever the browser's own preference is."""
    first = request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].strip()
    return first[:35] or None


def whole(text: str) -> int:
    """A whole number of an address; 0 for anything else."""
    return read_own(text) or 0
