"""Pictures that nobody asked about are remembered for a while, of whom, and which is the newest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.message import Address, Incoming, Invocation
from bot.questions.recent_pictures import KEPT, KEPT_SECONDS, RECENT_SECONDS, RecentPictures
from tests.bot.rig import attachment
from tests.bot.samples import ANN, BEN, PLACE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHOWN = Incoming("1", PLACE, ANN, Address.OVERHEARD, NOON, attachments=(attachment(b"a goose"),))


def asks(seconds: float) -> Incoming:
    return Incoming("9", PLACE, ANN, Address.MENTION, NOON + timedelta(seconds=seconds), "what is this?")


def test_what_the_person_just_showed_is_found_until_somebody_asks_about_it() -> None:
    pictures = RecentPictures()
    pictures.note(SHOWN, asked=False)
    pictures.note(replace(SHOWN, id="2", author=BEN), asked=False)
    assert [each.message_id for each in pictures.recent(asks(5), {ANN.key})] == ["1"]
    assert pictures.recent(asks(RECENT_SECONDS + 1), {ANN.key}) == []
    reply = pictures.recent(asks(5), {ANN.key})[0].reply()
    assert (reply.message_id, reply.found, reply.attachments) == ("1", True, SHOWN.attachments)
    pictures.mark(PLACE.key, "1")
    assert pictures.recent(asks(5), {ANN.key}) == []


def test_only_messages_with_pictures_count() -> None:
    pictures = RecentPictures()
    film = replace(SHOWN.attachments[0], content_type="video/mp4")
    for each in (replace(SHOWN, attachments=()), replace(SHOWN, attachments=(film,)), replace(SHOWN, edited=True)):
        pictures.note(each, asked=False)
    pictures.note(replace(SHOWN, command=Invocation("ask")), asked=False)
    assert pictures.recent(asks(5), {ANN.key}) == []


def test_the_newest_is_one_that_nobody_asked_about() -> None:
    pictures = RecentPictures()
    pictures.note(SHOWN, asked=True)
    assert not pictures.newer(asks(5))
    pictures.note(replace(SHOWN, id="2", author=BEN, sent_at=NOON + timedelta(seconds=1)), asked=False)
    assert pictures.newer(asks(5))
    assert not pictures.newer(asks(KEPT_SECONDS + 5))
    pictures.drop(PLACE.key, "2")
    assert not pictures.newer(asks(5))


def test_a_person_s_pictures_are_forgotten_and_a_place_keeps_only_so_many() -> None:
    pictures = RecentPictures()
    for number in range(KEPT + 5):
        pictures.note(replace(SHOWN, id=str(100 + number)), asked=False)
    assert [each.message_id for each in pictures.recent(asks(5), {ANN.key})] == [str(105 + number) for number in range(KEPT)]
    pictures.forget(ANN.key)
    assert pictures.recent(asks(5), {ANN.key}) == []
