"""Turns what discord.py raises into the bot's errors: gone for good, gone with its message, or try again."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
import discord
import structlog

from bot.errors import DeliveryError, FileRefused, MessageFrozen, MessageGone, PlaceGone, TextBlocked

# Codes of https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
UNKNOWN_MESSAGE: Final = 10008
REPLY_NEEDS_HISTORY: Final = 160002  # "Cannot reply without permission to read message history": the link is the fault
TOO_LARGE: Final = 40005  # "Request entity too large"
REPLY_IS_GONE: Final = frozenset({UNKNOWN_MESSAGE, REPLY_NEEDS_HISTORY})
PLACE_IS_GONE: Final = frozenset({10003, 10004, 50001, 50007, 50013, 20022})
CLOSED: Final = frozenset({50083, 160005})  # "Thread is archived", "Thread is locked"
INTERACTION_IS_GONE: Final = frozenset({10015, 10062, 50027})  # never acknowledged in time, or its fifteen minutes are over
BLOCKED: Final = 200000  # "Message was blocked by automatic moderation"


BEGINS: Final = "READY"  # a connection whose beginning can't be read is none
UNREADABLE: Final = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
)  # what discord.py raises on what it doesn't expect

Parser = Callable[[Any], Any]

log = structlog.get_logger(__name__)


class InteractionGone(PlaceGone):
    """Discord does not know this interaction, or not any more: nothing can be sent by it."""


@contextmanager
def delivering() -> Iterator[None]:
    """Raises DeliveryError and its children for everything that a call of Discord can fail with."""
    try:
        yield
    except discord.RateLimited as error:
        raise DeliveryError("Discord asks to wait", error.retry_after) from error
    except discord.HTTPException as error:
        raise delivery_error(error) from error
    except FileNotFoundError as error:  # an export that was deleted while it waited
        raise FileRefused(f"{error.filename} is gone") from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise DeliveryError(f"Discord can't be reached: {type(error).__name__}", unheard=True) from error
    except RuntimeError as error:  # aiohttp's word for a session that was closed: the connection is being made anew
        raise DeliveryError(f"Discord can't be reached: {error}") from error


def delivery_error(error: discord.HTTPException) -> DeliveryError:
    said = f"Discord says {error.status}: {error.text or error.code}"
    if error.code == TOO_LARGE:
        return FileRefused(said)
    if error.code in REPLY_IS_GONE:
        return MessageGone(said)
    if error.code in CLOSED:
        return MessageFrozen(said)
    if error.code in INTERACTION_IS_GONE:
        return InteractionGone(said)
    if error.code == BLOCKED:
        return TextBlocked(said)
    if error.code in PLACE_IS_GONE or isinstance(error, discord.Forbidden):
        return PlaceGone(f"{said} (/diagnose in that channel tells what is missing)")
    unheard = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return DeliveryError(said, unheard=unheard, rejected=error.status == HTTPStatus.BAD_REQUEST)


def each_by_itself(parsers: Mapping[str, Parser]) -> dict[str, Parser]:
    """discord.py's parsers of events, of which none ends the connection: what can't be read is logged without its words."""
    return {event: parser if event == BEGINS else surviving(event, parser) for event, parser in parsers.items()}


def surviving(event: str, parser: Parser) -> Parser:
    def parse(data: Any) -> Any:
        try:
            return parser(data)
        except UNREADABLE as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
            log.error("an event of Discord's can't be read; the next ones go on", kind=event, fault=where)
            return None

    return parse
