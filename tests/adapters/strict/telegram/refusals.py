"""What Telegram refuses a bot, and how it words it: rights in a chat, topics, webhooks, presses."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tests.adapters.strict.telegram.world import Json, World

WEBHOOK_PORTS = {None, 80, 88, 443, 8443}
MOST_TOAST = 200
NO_QUERY = "Bad Request: query is too old and response timeout expired or query ID is invalid"


class ApiError(Exception):
    """A refusal, as Telegram words it."""

    def __init__(self, description: str, code: int = 400, **parameters: int) -> None:
        super().__init__(description)
        self.description = description
        self.code = code
        self.parameters = parameters


class Cut(Exception):
    """No answer at all: the connection ends."""


def check_member(world: World, chat: int) -> None:
    if chat in world.kicked:
        raise ApiError("Forbidden: bot was kicked from the supergroup chat", 403)


def check_may_write(world: World, chat: int, kind: str = "text messages") -> None:
    if chat in world.muted:
        raise ApiError(f"Bad Request: not enough rights to send {kind} to the chat")


def check_topic(world: World, chat: int, topic: int) -> None:
    """The general topic, 1, is there without a message of its own."""
    if not world.chats[chat].get("is_forum") or (topic != 1 and (chat, topic) not in world.messages):
        raise ApiError("Bad Request: message thread not found")
    if (chat, topic) in world.closed:
        raise ApiError("Bad Request: TOPIC_CLOSED")


def check_webhook(params: Json) -> None:
    url = urlsplit(str(params["url"]))
    if url.scheme != "https":
        raise ApiError("Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    if url.port not in WEBHOOK_PORTS:
        raise ApiError("Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", str(params.get("secret_token", ""))):
        raise ApiError("Bad Request: secret token contains unallowed characters")


def check_press(world: World, params: Json) -> None:
    """A press is answered once."""
    if params["callback_query_id"] not in world.queries:
        raise ApiError(NO_QUERY)
    if len(str(params.get("text", ""))) > MOST_TOAST:
        raise ApiError("Bad Request: MESSAGE_TOO_LONG")
    world.queries.discard(params["callback_query_id"])
