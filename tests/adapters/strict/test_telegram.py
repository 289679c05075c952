"""The strict Telegram itself, driven by the very adapter: what it takes, refuses, loses and pushes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from telegram import Bot
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from tests.adapters.strict.telegram.pushing import pushing
from tests.adapters.strict.telegram.refusals import ApiError, Cut
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.adapters.strict.telegram.world import ANN, ME, Json
from tests.adapters.telegram.rig import whole


async def test_a_bot_by_webhook_is_told_each_update_until_it_takes_it(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = {"webhook_url": "https://goose.example/goose", "webhook_port": port}
    async with whole(tmp_path, telegram=options) as telegram, pushing(telegram.api, f"http://127.0.0.1:{port}/goose") as answered:
        chat = telegram.world.private()
        for number in range(3):
            await telegram.world.say(chat, f"{number}?")
        assert await telegram.answers(chat, 3) == [f"You asked: {number}?" for number in range(3)]
        await telegram.until(lambda: not telegram.world.updates)
        assert answered == [200] * 3
        with pytest.raises(ApiError, match="webhook is active"):
            await telegram.api.answer("getUpdates", {})


async def test_a_connection_that_is_cut_costs_no_answer(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        telegram.api.refuse("sendMessage", Cut(), ApiError("Bad Gateway", 502))
        chat = telegram.world.private()
        await telegram.world.say(chat, "Still?")
        assert await telegram.answers(chat) == ["You asked: Still?"]


REFUSED: list[tuple[str, Json, str]] = [
    ("sendMessage", {"chat_id": -1005, "text": "?"}, "not enough rights to send text messages"),
    ("sendMessage", {"chat_id": -1006, "text": "?"}, "kicked"),
    ("sendMessage", {"chat_id": -1007, "text": "?", "message_thread_id": 99}, "message thread not found"),
    ("sendMessage", {"chat_id": -1007, "text": "?", "message_thread_id": 1}, "TOPIC_CLOSED"),
    ("sendMessage", {"chat_id": 1001, "text": " "}, "message text is empty"),
    ("sendMessage", {"chat_id": 1001, "text": "g" * 4097}, "message is too long"),
    ("sendMessage", {"chat_id": 1001, "text": "?", "paint": "red"}, "has no parameter paint"),
    ("sendMessage", {"chat_id": 1001, "text": "?", "entities": [{"type": "bold", "offset": 5, "length": 9}]}, "can't parse entities"),
    ("setWebhook", {"url": "http://goose.example"}, "HTTPS"),
    ("setWebhook", {"url": "https://goose.example:9000"}, "80, 88, 443"),
    ("setWebhook", {"url": "https://goose.example", "secret_token": "white space"}, "unallowed"),
    ("answerCallbackQuery", {"callback_query_id": "1"}, "query ID is invalid"),
    ("setMyCommands", {"commands": [{"command": "Große", "description": "?"}]}, "BOT_COMMAND_INVALID"),
]


@pytest.mark.parametrize(("method", "params", "words"), REFUSED)
async def test_it_refuses_what_telegram_refuses(method: str, params: Json, words: str) -> None:
    api = BotApi()
    api.world.private()
    api.world.muted.add(api.world.group(-1005))
    api.world.kicked.add(api.world.group(-1006))
    api.world.closed.add((api.world.group(-1007, forum=True), 1))
    with pytest.raises(ApiError, match=words):
        await api.answer(method, params)


async def test_buttons_carry_sixty_four_bytes_and_a_press_is_answered_once() -> None:
    api = BotApi()
    chat = api.world.private()
    button: Json = {"text": "?", "callback_data": "g" * 65}
    with pytest.raises(ApiError, match="BUTTON_DATA_INVALID"):
        await api.answer("sendMessage", {"chat_id": chat, "text": "?", "reply_markup": {"inline_keyboard": [[button]]}})
    button["callback_data"] = "g" * 64
    sent = await api.answer("sendMessage", {"chat_id": chat, "text": "?", "reply_markup": {"inline_keyboard": [[button]]}})
    await api.world.press(chat, sent["message_id"], "g")
    name = api.world.updates[-1]["callback_query"]["id"]
    assert await api.answer("answerCallbackQuery", {"callback_query_id": name, "text": "Yes.", "show_alert": True})
    assert api.called("answerCallbackQuery")[-1]["text"] == "Yes."
    with pytest.raises(ApiError, match="too old"):
        await api.answer("answerCallbackQuery", {"callback_query_id": name})


async def test_the_library_reads_its_refusals_as_telegram_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python-telegram-bot tells errors apart by their code and words."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # as the client sets it: whole seconds come with a warning
    api = BotApi()
    chat = api.world.private()
    expected: list[tuple[ApiError | Cut, type[TelegramError]]] = [
        (ApiError("Too Many Requests: retry after 3", 429, retry_after=3), RetryAfter),
        (ApiError("Forbidden: bot was blocked by the user", 403), Forbidden),
        (ApiError("Bad Request: chat not found"), BadRequest),
        (ApiError("Bad Gateway", 502), NetworkError),
        (Cut(), NetworkError),
    ]
    async with serving(api) as address, Bot(TOKEN, base_url=f"{address}/bot", request=HTTPXRequest()) as bot:
        for refusal, error in expected:
            api.refuse("sendMessage", refusal)
            with pytest.raises(error):
                await bot.send_message(chat, "?")
        assert api.world.messages == {}
        assert (await bot.send_message(chat, "A goose.")).from_user == await bot.get_me()
    assert [each["from"] for each in api.world.messages.values()] == [ME]
    assert ANN["id"] == chat
