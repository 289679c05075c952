"""Turns the messages of a request into turns: texts as they are, pictures decoded and checked, all within a request's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from engine.api import ImagePart, ImageUrl, Message, TextPart
from engine.errors import PictureError, RequestError
from engine.images.decode import Limits, Picture, decode_data_url
from engine.models.looks import Look
from engine.prompts.turn import Turn

Decode = Callable[[bytes, Limits, int], Picture]  # as `engine.images.decode.decode_picture`


def read_turns(messages: Sequence[Message], pictures: PictureReader) -> Iterator[Turn]:
    check_amount(messages, pictures.limits)
    for at, message in enumerate(messages):
        path = f"messages[{at}].content"
        parts = (message.content,) if isinstance(message.content, str) else tuple(read_parts(message, path, pictures))
        yield Turn(message.role, parts)


def check_amount(messages: Sequence[Message], limits: Limits) -> None:
    """Raises RequestError for more pictures or characters than a request may have, before any picture is decoded."""
    parts = [part for message in messages for part in ((message.content,) if isinstance(message.content, str) else message.content)]
    pictures = sum(isinstance(part, ImagePart) for part in parts)
    if pictures > limits.pictures:
        raise PictureError(f"The request carries {pictures} pictures; the limit is {limits.pictures}. Send fewer.", "messages")
    characters = sum(len(part if isinstance(part, str) else part.text) for part in parts if not isinstance(part, ImagePart))
    if characters > limits.characters:
        raise RequestError(
            f"The messages have {characters:,} characters; the limit is {limits.characters:,}. Leave the oldest ones out.", "messages"
        )


class PictureReader:
    """Decodes the pictures of one request, whose pixels together are limited."""

    def __init__(self, limits: Limits, decode: Decode) -> None:
        self.limits, self.pixels, self._decode = limits, 0, decode

    def read(self, path: str, part: ImageUrl) -> Picture:
        try:
            picture = self._decode(decode_data_url(part.url, self.limits), self.limits, self.pixels)
        except PictureError as error:
            error.param = path
            raise
        self.pixels += picture.image.width * picture.image.height
        return picture if part.detail is None or part.detail == "auto" else replace(picture, look=Look(part.detail))


def read_parts(message: Message, path: str, pictures: PictureReader) -> Iterator[str | Picture]:
    for index, part in enumerate(message.content):
        if isinstance(part, ImagePart):
            if message.role != "user":
                raise RequestError(f"Only a user's message may hold pictures, not one of role {message.role!r}.", f"{path}[{index}]")
            yield pictures.read(f"{path}[{index}].image_url.url", part.image_url)
        elif isinstance(part, TextPart):
            yield part.text
