"""Telegram as the bot sees it: messages go out formatted, and errors come back as the bot's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, RetryAfter, TelegramError

from adapters.telegram.diagnosis import findings
from adapters.telegram.duplicates import remove_duplicate
from adapters.telegram.errors import delivery_error, is_bad_format, is_unchanged
from adapters.telegram.formatting import Formatted, format_markdown, most_units, plain
from adapters.telegram.pictures import PictureFinder
from adapters.telegram.places import NAME, chat_of, message_of, press_of, thread_of
from adapters.telegram.rate_limit import RateLimit
from adapters.telegram.send_files import send_enclosed
from adapters.telegram.settings_panel import keyboard_of
from bot.errors import DeliveryError, MessageGone, MessageLost, NotPrivate
from bot.message import Incoming, Place
from bot.platform import Button, EditBudget, KnownMessages, Limits, Outgoing
from bot.sanitize import shorten_to_line
from bot.texts import Texts

EMOJI = {Button.STOP: "⏹️", Button.AGAIN: "🔁", Button.CONTINUE: "▶️", Button.SETTINGS: "⚙️"}
WORKING = "👀"
FILE_BYTES = 50_000_000
MOST_IN_PRESS = 200  # characters
MOST_IN_BUTTON = 64  # bytes
GLANCE = 60  # characters that can be read in passing; more is shown until it is closed
# Of Bot API 10.1, which the library does not know yet; what was said stays until it stands there as a message.
STOPPABLE = {"can_stop": True, "keep_on_stop": True}
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TelegramLimits(Limits):
    """Counts what is left of a text after its markup is read, in UTF-16 units."""

    def length(self, text: str) -> int:
        """UTF-16 units. Of a short text an upper bound, without parsing it: that takes milliseconds, and answers grow word by word."""
        most = most_units(text)
        return most if most <= self.text else format_markdown(text).units


class TelegramPlatform:
    """bot.platform.Platform. A repeated send is shown twice: Telegram has no nonce."""

    name = NAME
    # A group's 20 messages a minute; one is left to the commands of others who moderate with the same bot.
    limits: Limits = TelegramLimits(
        4096, EditBudget(edits=19, seconds=60.0), typing_seconds=5.0, ends_directly=True, file_bytes=FILE_BYTES, reacts=True, chains=True
    )
    private_limits: Limits = TelegramLimits(
        4096, EditBudget(edits=30, seconds=30.0), typing_seconds=5.0, ends_directly=True, file_bytes=FILE_BYTES, draft_seconds=30.0
    )

    def __init__(self, client: Bot, texts: Texts, pictures: PictureFinder) -> None:
        self._client = client
        self._pictures = pictures
        self._texts = texts
        self._rate_limit = RateLimit()
        self._signs = RateLimit()  # of their own: no answer waits for a reaction
        self._moved: dict[int, int] = {}  # groups that became supergroups, until their questions have moved, too

    def reopen(self, reference: str) -> AsyncIterator[bytes]:
        return self._pictures.read(reference)

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        message = pressable(message)
        if reply_to and not message_of(reply_to):
            return reply_to  # to the button of a draft: that it was pressed is shown already
        if reply_to and fits_in_press(place, reply_to, message) and await self._answer(reply_to, message):
            return reply_to
        markup = keyboard(message, self._texts)
        if reply_to and press_of(reply_to) and message.panel and not message.panel.anew:
            await self._edit(place, message_of(reply_to), message, markup)
            await self._release(reply_to)
            return reply_to  # the press and its panel: an id of its own for what stands there now
        reply = ReplyParameters(message_of(reply_to)) if reply_to else None

        options: dict[str, Any] = {"message_thread_id": thread_of(place), "reply_parameters": reply, "reply_markup": markup}

        async def send(formatted: Formatted) -> int:
            chat = self._chat(place)
            if message.files:
                return await send_enclosed(self._client, chat, message.files, formatted, **options)
            sent = await self._client.send_message(
                chat, formatted.text, entities=formatted.entities, link_preview_options=NO_PREVIEW, **options
            )
            return sent.message_id

        name = str(await self._formatted(place, send, message))
        await self._release(reply_to or "")
        return name

    def can_reply_privately(self, event: str) -> bool:
        return press_of(event) is not None

    async def reply_privately(self, place: Place, message: Outgoing, *, event: str, nonce: str) -> str:
        """Show it in the pop-up of a pressed button, which only the person who pressed sees. Telegram takes 200 characters there."""
        if press_of(event) is None or (place.private and not fits_press(message)):
            raise NotPrivate("Telegram shows nothing to one person alone in a group but in the press of a button")
        if not await self._answer(event, message):
            raise NotPrivate("the button was pressed too long ago", late=True)
        return event

    async def acknowledge(self, incoming: Incoming) -> None:
        await self._release(incoming.id)

    async def _release(self, event: str) -> None:
        """End the waiting sign on a pressed button; it would end by itself later."""
        with suppress(TelegramError):
            if press := press_of(event):
                await self._client.answer_callback_query(press)

    async def _answer(self, event: str, message: Outgoing) -> bool:
        """Answer the press with it; False where it was too long ago."""
        text = self._texts.render(message.language, "telegram.settings_elsewhere") if message.panel else format_markdown(message.text).text
        words = shorten_to_line(text, MOST_IN_PRESS)
        try:
            await self._client.answer_callback_query(press_of(event) or "", words, show_alert=len(words) > GLANCE)
        except BadRequest:
            return False
        except TelegramError as error:
            raise delivery_error(error) from error
        return True

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        message = pressable(message)
        try:
            await self._edit(place, message_of(message_id), message, keyboard(message, self._texts))
        except MessageGone as error:
            if chat_of(place) in self._moved:
                raise MessageLost("a supergroup numbers its messages anew") from error
            raise

    async def delete(self, place: Place, message_id: str) -> None:
        await self._translated(place, self._client.delete_message(self._chat(place), message_of(message_id)))

    async def remove_duplicate(self, place: Place, message_id: str, known: KnownMessages) -> None:
        await remove_duplicate(self._client, self._chat(place), message_of(message_id), known)

    async def private_place(self, person: str) -> Place:
        return Place(NAME, channel=person, private=True)

    async def typing(self, place: Place) -> None:
        with suppress(TelegramError):
            await self._client.send_chat_action(self._chat(place), ChatAction.TYPING, message_thread_id=thread_of(place))

    async def show_draft(self, place: Place, answer_id: int, message: Outgoing) -> None:
        """A server that has no drafts shows none, an old one no button; only a flood limit is passed on."""
        formatted = format_markdown(message.text, message.footer, spoiler=message.spoiler, steps=message.steps)
        try:
            await self._client.send_message_draft(
                self._chat(place),
                answer_id,
                formatted.text,
                message_thread_id=thread_of(place),
                entities=formatted.entities,
                api_kwargs=STOPPABLE if Button.STOP in message.buttons else None,
            )
        except RetryAfter as error:
            raise delivery_error(error) from error
        except TelegramError as error:
            log.debug("draft_refused", reason=error.message)

    async def set_busy_reaction(self, place: Place, message_id: str, *, busy: bool) -> None:
        await self._signs.turn()
        with suppress(TelegramError):
            await self._client.set_message_reaction(self._chat(place), message_of(message_id), WORKING if busy else None)

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        return await findings(self._client, incoming)

    async def _edit(self, place: Place, message_id: int, message: Outgoing, markup: InlineKeyboardMarkup | None) -> None:
        async def edit(formatted: Formatted) -> None:
            try:
                await self._client.edit_message_text(
                    formatted.text,
                    self._chat(place),
                    message_id,
                    entities=formatted.entities,
                    reply_markup=markup,
                    link_preview_options=NO_PREVIEW,
                )
            except TelegramError as error:
                if not is_unchanged(error):
                    raise

        await self._formatted(place, edit, message)

    async def _formatted(self, place: Place, deliver: Callable[[Formatted], Awaitable[Result]], message: Outgoing) -> Result:
        """Send the text with its entities, or plain where Telegram rejects them."""
        formatted = format_markdown(message.text, message.footer, spoiler=message.spoiler, steps=message.steps)
        await self._rate_limit.turn()
        try:
            return await deliver(formatted)
        except TelegramError as error:
            if not is_bad_format(error) or not formatted.entities:
                raise self._error(place, error) from error
        return await self._translated(place, deliver(plain(formatted)))

    async def _translated(self, place: Place, call: Awaitable[Result]) -> Result:
        try:
            return await call
        except TelegramError as error:
            raise self._error(place, error) from error

    def _chat(self, place: Place) -> int:
        chat = chat_of(place)
        return self._moved.get(chat, chat)

    def _error(self, place: Place, error: TelegramError) -> DeliveryError:
        if isinstance(error, ChatMigrated):
            self._moved[chat_of(place)] = error.new_chat_id
        return delivery_error(error)


def pressable(message: Outgoing) -> Outgoing:
    """The message with only those buttons that fit Telegram's limit; the commands of the others are written into the text."""
    long = [action for action in message.actions if len(action.command.encode()) > MOST_IN_BUTTON]
    if not long:
        return message
    text = "\n".join([message.text, *(f"{action.label}: {action.command}" for action in long)])
    return replace(message, text=text, actions=tuple(action for action in message.actions if action not in long))


def fits_in_press(place: Place, reply_to: str, message: Outgoing) -> bool:
    """Whether it is said in the press that it replies to. A model's answer, which grows and is for all, never is."""
    return press_of(reply_to) is not None and not place.private and not (message.panel or message.files) and message.answer_id is None


def fits_press(message: Outgoing) -> bool:
    """Whether the whole message fits into the pop-up of a pressed button."""
    return not (message.actions or message.files or message.panel) and len(message.text) <= MOST_IN_PRESS and "\n" not in message.text


def keyboard(message: Outgoing, texts: Texts) -> InlineKeyboardMarkup | None:
    """A button carries what it stands for as a typed command, within Telegram's 64 bytes."""
    if message.panel:
        return keyboard_of(message.panel, message.reader.id if message.reader else "", message.language, texts)
    pressed = [
        InlineKeyboardButton(action.label, url=action.url)
        if action.url
        else InlineKeyboardButton(action.label, callback_data=action.command)
        for action in message.actions
    ]
    across = message.across or 1
    rows = [pressed[at : at + across] for at in range(0, len(pressed), across)]
    if message.answer_id is not None and message.buttons:
        rows.insert(0, [_button(button, message.answer_id, message.language, texts) for button in message.buttons])
    return InlineKeyboardMarkup(rows) if rows else None


def _button(button: Button, answer_id: int, language: str, texts: Texts) -> InlineKeyboardButton:
    label = f"{EMOJI[button]} {texts.render(language, f'button.{button.value}')}"
    return InlineKeyboardButton(label, callback_data=f"/{button.value} answer_id:{answer_id}")
