"""A question without a picture finds the one it is about, asks back where it could mean several, and gives a choice to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import Refusal
from bot.media.decoder_pool import Decoders, DecodingLimits
from bot.media.intake import FileLimits, Intake
from bot.message import Address, Incoming, Reply
from bot.questions.contact_sheet import ContactSheets
from bot.questions.recent_pictures import RecentPictures
from bot.questions.which_picture import PictureChoice, PictureFinder
from bot.store.database import Database, open_database, sqlite_url
from bot.store.graph import Node
from bot.texts import load_texts
from tests.bot.rig import attachment
from tests.bot.samples import ANN, BEN, PLACE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHOWN = Incoming("1", PLACE, ANN, Address.OVERHEARD, NOON, attachments=(attachment(b"a goose"),))
QUESTION = Incoming("9", PLACE, ANN, Address.MENTION, NOON + timedelta(seconds=5), "what is this?")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(sqlite_url(tmp_path / "gander.db"))
    yield database
    await database.close()


@pytest.fixture
def recent(database: Database) -> RecentPictures:
    pictures = RecentPictures(database, "gander", lambda platform, reference: SHOWN.attachments[0].read())
    pictures.note(SHOWN, asked=False)
    return pictures


@pytest.fixture
async def finder(tmp_path: Path, database: Database, recent: RecentPictures) -> AsyncIterator[PictureFinder]:
    decoders = Decoders(DecodingLimits())
    yield PictureFinder(database, recent, ContactSheets(Intake(FileLimits(), decoders), tmp_path / "exports"), load_texts())
    await decoders.close()


async def found(finder: PictureFinder, incoming: Incoming, replied: Node | None = None) -> str | None:
    """The message whose picture the question is about."""
    meant = await finder.find(incoming, incoming.text, replied=replied)
    assert isinstance(meant, Incoming)
    return meant.reply_to.message_id if meant.reply_to else None


async def test_a_question_that_points_is_about_what_its_person_just_showed(finder: PictureFinder) -> None:
    assert await found(finder, replace(QUESTION, text="tell me a story")) is None
    assert await found(finder, replace(QUESTION, author=BEN)) is None
    assert await found(finder, QUESTION) == "1"
    assert await found(finder, QUESTION) is None  # it was asked about


@pytest.mark.parametrize("reply", [Reply("7", is_ours=True), Reply("7", BEN, SHOWN.attachments)])
async def test_who_replies_to_a_picture_or_an_answer_has_said_which_is_meant(finder: PictureFinder, reply: Reply) -> None:
    assert await found(finder, replace(QUESTION, reply_to=reply)) == "7"


async def test_a_reply_to_a_stored_message_is_about_that(finder: PictureFinder) -> None:
    question = replace(QUESTION, reply_to=Reply("7", BEN))
    assert await found(finder, question, Node(1, "c", BEN.key, spoiler=False)) == "7"


async def test_of_several_pictures_the_chosen_one_is_asked_about_by_who_asked(finder: PictureFinder, recent: RecentPictures) -> None:
    recent.note(replace(SHOWN, id="2"), asked=False)
    choices = await finder.find(QUESTION, QUESTION.text, replied=None)
    assert not isinstance(choices, Incoming)
    offer = await finder.offer("en", PictureChoice(QUESTION, QUESTION.text, {}, None, choices))
    first, second = (action.command.removeprefix("/ask pick:") for action in offer.actions)
    with pytest.raises(Refusal, match="not_yours"):
        finder.chosen(replace(QUESTION, author=BEN), second)
    with pytest.raises(Refusal, match="choice_gone"):
        finder.chosen(QUESTION, f"{second}0")
    meant, choice = finder.chosen(QUESTION, second)
    assert (meant.reply_to and meant.reply_to.message_id, choice.question) == ("2", "what is this?")
    with pytest.raises(Refusal, match="choice_gone"):  # it was made
        finder.chosen(QUESTION, first)
