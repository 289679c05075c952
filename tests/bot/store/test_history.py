"""The messages of a place come back with their branches, their pictures, and the platform's ids of every part."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.store import deliveries, history
from bot.store.database import Database
from tests.bot.samples import ANN, PLACE, add_message, ask, picture


async def test_messages_come_oldest_first_with_all_that_a_page_shows(database: Database) -> None:
    job = await ask(database, "how many?")

    def work(connection: Connection) -> None:
        for part, name in enumerate(("41", "42")):
            delivery = deliveries.intend(connection, job.answer, part, PLACE, 1.0)
            assert delivery is not None
            assert deliveries.sent(connection, delivery.id, name)
        add_message(connection, "and this?", platform_id="43", pictures=(picture(),))
        question, answer, last = history.messages(connection, PLACE.key, 10)
        assert (question.text, question.author, question.language, question.message_ids) == ("how many?", ANN.name, None, ())
        assert (answer.parent, answer.role, answer.finish, answer.language) == (question.id, "assistant", None, "en")
        assert answer.message_ids == ("41", "42")
        assert (last.message_ids, last.pictures) == (("43",), (picture().sha256,))
        assert [message.id for message in history.messages(connection, PLACE.key, 1)] == [last.id]
        assert history.messages(connection, "web:elsewhere", 10) == ()
        assert history.shown_here(connection, PLACE.key, picture().sha256)
        assert not history.shown_here(connection, "web:elsewhere", picture().sha256)

    await database.write(work)
