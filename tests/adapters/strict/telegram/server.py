"""A strict Bot API server on loopback: it takes what Telegram takes, and refuses what Telegram refuses.

Every request is checked against aiogram's model of its method, every formatted text by TDLib.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from tests.adapters.strict.telegram import bot_api, tdlib
from tests.adapters.strict.telegram.refusals import ApiError as ApiError  # its users find it here
from tests.adapters.strict.telegram.refusals import Cut, check_may_write, check_member, check_press, check_topic, check_webhook
from tests.adapters.strict.telegram.world import ME, Json, World

TOKEN = "4242424242:AAGeeseGeeseGeeseGeeseGeeseGeeseGee"
MOST_TEXT = 4096
MOST_CAPTION = 1024
MOST_ENTITIES = 100
MOST_CALLBACK_BYTES = 64
GONE = "Bad Request: message to {} not found"
TEXTS = frozenset({"text", "caption", "question", "title", "description"})  # parameters that are never JSON


@dataclass
class Call:
    """A request that the bot made."""

    method: str
    params: Json


@dataclass
class BotApi:
    """The server's state beside the world: what was called, what shall fail, which poll is under way."""

    world: World = field(default_factory=World)
    token: str = TOKEN
    calls: list[Call] = field(default_factory=list)
    refusals: dict[str, list[ApiError | Cut]] = field(default_factory=dict)  # by method, for its next calls
    webhook: Json | None = None
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)  # by scope and language
    descriptions: dict[tuple[str, str], str] = field(default_factory=dict)  # by method and language
    group_budget: tuple[int, float] = (20, 60.0)  # messages and edits in any so many seconds
    spent: dict[int, list[float]] = field(default_factory=dict)  # by group
    floods: int = 0  # how often a group's budget was overdrawn
    membership: Json = field(default_factory=lambda: {"status": "member"})  # of the bot, wherever it is
    migrated: dict[int, int] = field(default_factory=dict)
    blocked_by: set[int] = field(default_factory=set)
    before: dict[str, list[Callable[[], None]]] = field(default_factory=dict)  # by method: done as its next calls arrive, which are lost …
    after: dict[str, list[Callable[[], None]]] = field(default_factory=dict)  # … or carried out, and never answered
    held: dict[str, asyncio.Event] = field(default_factory=dict)  # by method or file: not answered before it is set
    mute: dict[str, asyncio.Event] = field(default_factory=dict)  # by method: carried out, and not answered before it is set
    disk: Path | None = None  # a server in local mode lays files there and tells their paths
    _poll: asyncio.Task[list[Json]] | None = None

    def called(self, method: str) -> list[Json]:
        return [call.params for call in self.calls if call.method == method]

    def refuse(self, method: str, *errors: ApiError | Cut) -> None:
        self.refusals.setdefault(method, []).extend(errors)

    async def answer(self, method: str, params: Json) -> Any:
        _validate(method, params)
        self.calls.append(Call(method, params))
        if queued := self.refusals.get(method):
            raise queued.pop(0)
        handler: Callable[[Json], Awaitable[Any]] | None = getattr(self, f"_{method}", None)
        if handler is None:
            raise ApiError("Not Found: method not found", 404)
        await self.hold(method)
        _interrupt(self.before, method)
        result = await handler(params)
        _interrupt(self.after, method)
        if method in self.mute:
            await self.mute[method].wait()
        return result

    async def hold(self, name: str) -> None:
        if name in self.held:
            await self.held[name].wait()

    async def _getMe(self, params: Json) -> Json:
        return ME | {"can_read_all_group_messages": not self.world.privacy}

    async def _getUpdates(self, params: Json) -> list[Json]:
        if self.webhook is not None:
            raise ApiError(
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first", 409
            )
        if self._poll is not None and not self._poll.done():
            self._poll.cancel()
        self._poll = asyncio.create_task(self._wait_for_updates(int(params.get("offset", 0)), float(params.get("timeout", 0))))
        try:
            return await self._poll
        except asyncio.CancelledError:
            raise ApiError(
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running", 409
            ) from None

    async def _wait_for_updates(self, offset: int, seconds: float) -> list[Json]:
        world = self.world
        world.updates = [update for update in world.updates if update["update_id"] >= offset]
        if not world.updates and seconds:
            try:
                async with asyncio.timeout(seconds), world.news:
                    await world.news.wait_for(lambda: bool(world.updates))
            except TimeoutError:
                return []
        return world.updates[:100]

    async def _setWebhook(self, params: Json) -> bool:
        check_webhook(params)
        self.webhook = params
        return True

    async def _deleteWebhook(self, params: Json) -> bool:
        self.webhook = None
        return True

    async def _sendMessage(self, params: Json) -> Json:
        chat = self._chat(params)
        check_may_write(self.world, chat)
        self._spend(chat)
        more = _checked_text(params)
        if reply := params.get("reply_parameters"):
            if (chat, reply["message_id"]) not in self.world.messages:
                raise ApiError("Bad Request: message to be replied not found")
            more["reply_to_message"] = replied = self.world.messages[chat, reply["message_id"]]
            if thread := replied.get("message_thread_id"):  # only what replies there is a comment under a channel's post
                more["message_thread_id"] = thread
        if topic := params.get("message_thread_id"):
            check_topic(self.world, chat, int(topic))
            more |= {"message_thread_id": int(topic), "is_topic_message": True}
        return self.world.keep(chat, ME, **more)

    async def _sendPhoto(self, params: Json) -> Json:
        return self._enclosed(params, "photos")

    async def _sendDocument(self, params: Json) -> Json:
        return self._enclosed(params, "documents")

    def _enclosed(self, params: Json, kind: str) -> Json:
        """A message with a file; its words are a caption."""
        chat = self._chat(params)
        check_may_write(self.world, chat, kind)
        self._spend(chat)
        words = {"text": params.get("caption", ""), "entities": params.get("caption_entities", [])}
        if len(str(words["text"]).encode("utf-16-le")) // 2 > MOST_CAPTION:
            raise ApiError("Bad Request: message caption is too long")
        kept = _checked_text({**words, "reply_markup": params.get("reply_markup")}, may_be_empty=True)
        return self.world.keep(chat, ME, caption=kept.pop("text"), **kept)

    async def _editMessageText(self, params: Json) -> Json:
        message = self._own_message(params)
        if "text" not in message:
            raise ApiError("Bad Request: there is no text in the message to edit")
        self._spend(message["chat"]["id"])
        more = _checked_text(params)
        if all(message.get(name) == more.get(name) for name in ("text", "entities", "reply_markup")):
            raise ApiError("Bad Request: message is not modified: specified new message content and reply markup are exactly the same")
        for name in ("entities", "reply_markup"):
            message.pop(name, None)
        message.update(more)
        return message

    async def _deleteMessage(self, params: Json) -> bool:
        message = self._message(params, "delete")
        mine = message["from"]["id"] == ME["id"] or message["chat"]["type"] == "private" or "can_delete_messages" in self.membership
        if not mine:
            raise ApiError("Bad Request: message can't be deleted")
        del self.world.messages[message["chat"]["id"], message["message_id"]]
        return True

    async def _sendMessageDraft(self, params: Json) -> bool:
        chat = self._chat(params)
        if self.world.chats[chat]["type"] != "private":
            raise ApiError("Bad Request: method is available only in private chats")
        if int(params["draft_id"]) == 0:
            raise ApiError("Bad Request: draft_id must be non-zero")
        self.world.drafts.setdefault(chat, []).append(_checked_text(params, may_be_empty=True))
        return True

    async def _sendChatAction(self, params: Json) -> bool:
        self._chat(params)
        return True

    async def _setMessageReaction(self, params: Json) -> bool:
        message = self._message(params, "react to")
        self.world.reactions[message["chat"]["id"], message["message_id"]] = params.get("reaction", [])
        return True

    async def _answerCallbackQuery(self, params: Json) -> bool:
        check_press(self.world, params)
        return True

    async def _getFile(self, params: Json) -> Json:
        data = self.world.files.get(params["file_id"])
        if data is None:
            raise ApiError("Bad Request: invalid file_id")
        if self.disk is None and len(data) > 20_000_000:
            raise ApiError("Bad Request: file is too big")
        if self.disk is not None:
            path = self.disk / params["file_id"]
            await asyncio.to_thread(path.write_bytes, data)
            return {"file_id": params["file_id"], "file_unique_id": params["file_id"], "file_path": str(path)}
        return {"file_id": params["file_id"], "file_unique_id": params["file_id"], "file_path": f"photos/{params['file_id']}"}

    async def _getChatMember(self, params: Json) -> Json:
        chat, person = self._chat(params), int(params["user_id"])
        if person == ME["id"]:
            return {"user": ME, **self.membership}
        user = {"id": person, "is_bot": False, "first_name": "Somebody"}
        return (
            {"status": "creator", "is_anonymous": False, "user": user}
            if (chat, person) in self.world.managers
            else {"status": "member", "user": user}
        )

    async def _setMyCommands(self, params: Json) -> bool:
        if len(params["commands"]) > 100 or not all(_is_a_command(each) for each in params["commands"]):
            raise ApiError("Bad Request: BOT_COMMAND_INVALID")
        scope = params.get("scope", {"type": "default"})
        self.commands[scope["type"], params.get("language_code", "")] = params["commands"]
        return True

    async def _setMyDescription(self, params: Json) -> bool:
        return self._describe("setMyDescription", params, "description", 512)

    async def _setMyShortDescription(self, params: Json) -> bool:
        return self._describe("setMyShortDescription", params, "short_description", 120)

    def _describe(self, method: str, params: Json, name: str, most: int) -> bool:
        if len(params[name]) > most:
            raise ApiError("Bad Request: description is too long")
        self.descriptions[method, params.get("language_code", "")] = params[name]
        return True

    def _spend(self, chat: int) -> None:
        """A group takes so many messages and edits, and then none for a while."""
        allowed, seconds = self.group_budget
        now = time.monotonic()
        spent = self.spent[chat] = [at for at in self.spent.get(chat, []) if at + seconds > now]
        if chat < 0 and len(spent) >= allowed:
            self.floods += 1
            raise ApiError("Too Many Requests: retry after 1", 429, retry_after=1)
        spent.append(now)

    def _chat(self, params: Json) -> int:
        chat = int(params["chat_id"])
        if chat in self.migrated:
            raise ApiError("Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=self.migrated[chat])
        if chat in self.blocked_by:
            raise ApiError("Forbidden: bot was blocked by the user", 403)
        if chat not in self.world.chats:
            raise ApiError("Bad Request: chat not found")
        check_member(self.world, chat)
        return chat

    def _own_message(self, params: Json) -> Json:
        message = self._message(params, "edit")
        if message["from"]["id"] != ME["id"]:
            raise ApiError("Bad Request: message can't be edited")
        return message

    def _message(self, params: Json, what: str) -> Json:
        message = self.world.messages.get((self._chat(params), int(params["message_id"])))
        if message is None:
            raise ApiError(GONE.format(what))
        return message


def _is_a_command(told: Json) -> bool:
    return re.fullmatch(r"[a-z0-9_]{1,32}", told["command"]) is not None and 1 <= len(told["description"]) <= 256


def _interrupt(doings: dict[str, list[Callable[[], None]]], method: str) -> None:
    if due := doings.get(method):
        due.pop(0)()
        raise ApiError("Bad Gateway", 502)


def _validate(method: str, params: Json) -> None:
    """Against aiogram's model: an unknown parameter would be silently ignored by Telegram, and is a mistake of ours."""
    model = bot_api.method(method)
    if unknown := set(params) - set(model.model_fields):
        raise ApiError(f"Bad Request: {method} has no parameter {', '.join(unknown)}")
    try:
        model.model_validate(params)
    except ValidationError as error:
        raise ApiError(f"Bad Request: {error}") from error


def _checked_text(params: Json, *, may_be_empty: bool = False) -> Json:
    """A message's text with its entities and buttons, if Telegram would take them."""
    text, entities = params.get("text", ""), params.get("entities", [])
    if not text.strip() and not may_be_empty:
        raise ApiError("Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > MOST_TEXT:
        raise ApiError("Bad Request: message is too long")
    if len(entities) > MOST_ENTITIES:
        raise ApiError("Bad Request: too many entities")
    if complaint := tdlib.complaint(text, entities):
        raise ApiError(complaint)
    markup = params.get("reply_markup")
    for button in [button for row in (markup or {}).get("inline_keyboard", []) for button in row]:
        if not 1 <= len(button["callback_data"].encode()) <= MOST_CALLBACK_BYTES:
            raise ApiError("Bad Request: BUTTON_DATA_INVALID")
    return {"text": text, **({"entities": entities} if entities else {}), **({"reply_markup": markup} if markup else {})}


API = web.AppKey("api", BotApi)


@asynccontextmanager
async def serving(api: BotApi) -> AsyncIterator[str]:
    """The server's address, as `telegram.server` takes it."""
    bot_api.module("methods")  # takes most of a second: neither while tests are collected nor in the midst of one
    app = web.Application()
    app[API] = api
    app.router.add_post("/bot{token}/{method}", _handle)
    app.router.add_get("/file/bot{token}/{path:.+}", _download)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _handle(request: web.Request) -> web.Response:
    api = request.app[API]
    if request.match_info["token"] != api.token:
        return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
    params = {name: _decoded(name, str(value)) for name, value in (await request.post()).items()}
    try:
        return web.json_response({"ok": True, "result": await api.answer(request.match_info["method"], params)})
    except Cut:
        if request.transport is not None:
            request.transport.close()
        return web.Response()
    except ApiError as error:
        body: Json = {"ok": False, "error_code": error.code, "description": error.description}
        return web.json_response({**body, **({"parameters": error.parameters} if error.parameters else {})}, status=error.code)


async def _download(request: web.Request) -> web.Response:
    api = request.app[API]
    name = request.match_info["path"].removeprefix("photos/")
    await api.hold(name)
    data = api.world.files.get(name)
    if data is None or request.match_info["token"] != api.token:
        raise web.HTTPNotFound
    return web.Response(body=data)


def _decoded(name: str, value: str) -> Any:
    """Lists and objects come as JSON; numbers, and texts whatever they look like, as they are."""
    return json.loads(value) if value[:1] in {"[", "{"} and name not in TEXTS else value
