"""What somebody who waits is told, and from when on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.answer_settings import AnswerSettings
from bot.answers.presentation import AnswerView
from bot.delivery.channel_queue import QueuedMessage
from bot.delivery.message_diff import Edit, MessageDiff, Send
from bot.delivery.outbox import Outbox
from bot.queue_status import QueuePosition
from bot.store import graph
from bot.store.database import open_database, sqlite_url
from bot.store.jobs import Job
from bot.store.snapshots import NO_VOTES
from bot.texts import load_texts
from tests.bot.rig import Chat
from tests.bot.samples import ANN, PLACE


@pytest.fixture
async def view(tmp_path: Path) -> AsyncIterator[AnswerView]:
    database, chat = await open_database(sqlite_url(tmp_path / "gander.db")), Chat()
    outbox = Outbox(database, load_texts())
    outbox.attach(chat)
    job = Job(1, 2, 1, PLACE.key, ANN.key, AnswerSettings(), 0)
    answer = graph.Answer("", None, "", False, "17", PLACE)
    queued = QueuedMessage(2, PLACE, None, MessageDiff(chat.limits), None)
    yield AnswerView(job, answer, queued, outbox, load_texts(), NO_VOTES, votes_open=False)
    await database.close()


async def test_a_short_wait_is_not_worth_a_message(view: AnswerView) -> None:
    view.show_position(QueuePosition(2, 1, 1.5))
    assert view.queued.diff.next_step() is None
    view.show_position(QueuePosition(2, 1, 1.6))
    assert isinstance(view.queued.diff.next_step(), Send)


async def test_an_unknown_wait_is_told_and_its_end_too(view: AnswerView) -> None:
    view.show_position(QueuePosition(2, 3, None))
    told = view.queued.diff.next_step()
    assert isinstance(told, Send)
    assert told.message.text == "You are number 3 in line."
    view.queued.diff.record(told, 0.0)
    view.show_position(QueuePosition(2, 1, 1.0))  # who was told of the line sees it move
    moved = view.queued.diff.next_step()
    assert moved is not None
    assert "You are next" in str(moved)


async def test_who_was_told_of_the_line_sees_that_it_is_over(view: AnswerView) -> None:
    view.show_begun()
    assert view.queued.diff.next_step() is None  # nobody was told of a line
    view.show_position(QueuePosition(2, 1, None))
    told = view.queued.diff.next_step()
    assert isinstance(told, Send)
    view.queued.diff.record(told, 0.0)
    view.show_begun()
    begun = view.queued.diff.next_step()
    assert isinstance(begun, Edit)
    assert (begun.message.text, begun.message.actions) == ("…", told.message.actions)
