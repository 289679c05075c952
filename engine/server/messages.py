"""Reads a request's messages into turns: texts as they are, pictures decoded and checked, all within what a request may carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine.api import ImagePart, Message, TextPart
from engine.errors import PictureError, RequestError
from engine.images.decode import Limits, Picture, decode_data_url
from engine.prompts.turn import Turn

Read = Callable[[bytes, Limits, int], Picture]  # as `engine.pictures.decode_picture`


def read_turns(messages: Sequence[Message], pictures: PictureReader) -> Iterator[Turn]:
    check_amount(messages, pictures.limits)
    for at, message in enumerate(messages):
        path = f"messages[{at}].content"
        parts = (message.content,) if isinstance(message.content, str) else tuple(read_parts(message, path, pictures))
        yield Turn(message.role, parts)


def check_amount(messages: Sequence[Message], limits: Limits) -> None:
    """Raises RequestError for more than a request may carry, before any of it is read."""
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
    """Reads the pictures of one request, which share a limit of pixels."""

    def __init__(self, limits: Limits, read: Read) -> None:
        self.limits, self.pixels, self._read = limits, 0, read

    def read(self, path: str, url: str) -> Picture:
        try:
            picture = self._read(decode_data_url(url, self.limits), self.limits, self.pixels)
        except PictureError as error:
            error.param = path
            raise
        self.pixels += picture.image.width * picture.image.height
        return picture


def read_parts(message: Message, path: str, pictures: PictureReader) -> Iterator[str | Picture]:
    for index, part in enumerate(message.content):
        if isinstance(part, ImagePart):
            if message.role != "user":
                raise RequestError(f"Only a user's message may hold pictures, not one of role {message.role!r}.", f"{path}[{index}]")
            yield pictures.read(f"{path}[{index}].image_url.url", part.image_url.url)
        elif isinstance(part, TextPart):
            yield part.text
