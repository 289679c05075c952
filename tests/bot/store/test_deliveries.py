"""Every send is recorded before it happens, and repeated with its nonce where nobody knows its outcome."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select

from bot.message import Place
from bot.platform import KnownMessages
from bot.store import deliveries, events, forgetting, graph
from bot.store.database import Database
from bot.store.tables import DeliveryRow
from tests.bot.samples import ANN, PLACE, add_answer, add_message


@pytest.mark.parametrize("unknown", [True, False])
async def test_an_unknown_send_is_repeated_with_its_nonce_and_counted(database: Database, unknown: bool) -> None:
    def work(connection: Connection) -> None:
        answer = add_answer(connection, add_message(connection, "hello"))
        first = deliveries.intend(connection, answer, 0, PLACE, at=0.0)
        assert first is not None
        assert first.nonce.startswith(f"{answer}-")
        if not unknown:
            deliveries.unsent(connection, [first.id])
        second = deliveries.intend(connection, answer, 0, PLACE, at=1.0)
        assert second is not None
        assert (second.nonce == first.nonce, deliveries.repeats(connection)) == (unknown, int(unknown))

    await database.write(work)


async def test_records_of_notices_go_with_time_and_those_of_answers_stay(database: Database) -> None:
    def work(connection: Connection) -> None:
        answer = add_answer(connection, add_message(connection, "hello"))
        for message, at in ((answer, 1.0), (None, 1.0), (None, 3.0)):
            assert deliveries.intend(connection, message, 0, PLACE, at) is not None
        deliveries.expire_notices(connection, before=2.0)
        left = connection.execute(select(DeliveryRow.message, DeliveryRow.at).order_by(DeliveryRow.id)).all()
        assert [tuple(row) for row in left] == [(answer, 1.0), (None, 3.0)]

    await database.write(work)


async def test_a_forgotten_answer_is_not_sent(database: Database) -> None:
    def work(connection: Connection) -> None:
        answer = add_answer(connection, add_message(connection, "hello"))
        forgetting.forget(connection, ANN.key, str)
        assert deliveries.intend(connection, answer, 0, PLACE, at=0.0) is None
        assert graph.answer(connection, answer) is None

    await database.write(work)


async def test_all_messages_of_a_channel_are_known_its_threads_included(database: Database) -> None:
    thread = Place(PLACE.platform, PLACE.channel, thread="t", private=PLACE.private)

    def work(connection: Connection) -> None:
        question = add_message(connection, "why?", platform_id="5", at=1.0)
        add_message(connection, "later", platform_id="9", at=3.0)
        answer = deliveries.intend(connection, add_answer(connection, question), 0, PLACE, 2.0)
        notice = deliveries.intend(connection, None, 0, thread, 1.0)
        assert answer is not None
        assert notice is not None
        deliveries.sent(connection, answer.id, "7")
        deliveries.sent(connection, notice.id, "4")
        events.take(connection, PLACE, "6", "gander", 1.5)
        known = deliveries.known(connection, PLACE, 1.5, notice, None)
        assert known == KnownMessages(frozenset({"4", "5", "6"}), frozenset({"4", "7"}))

    await database.write(work)


async def test_what_is_stored_after_a_send_is_not_earlier_though_the_clock_was_set_back_since(database: Database) -> None:
    """Else the first copy of a send that is repeated would be looked for after it, and stay: an answer that stands there twice."""

    def work(connection: Connection) -> None:
        answer = add_answer(connection, add_message(connection, "why?", platform_id="5", at=1.0))
        unsure = deliveries.intend(connection, answer, 0, PLACE, 61.0)  # by a clock that was a minute ahead
        another = add_answer(connection, add_message(connection, "and?", platform_id="7", at=3.0))
        heard = deliveries.intend(connection, another, 0, PLACE, 4.0)
        assert unsure is not None
        assert heard is not None
        deliveries.sent(connection, heard.id, "8")
        assert deliveries.known(connection, PLACE, unsure.at, unsure, answer) == KnownMessages(frozenset({"5"}), frozenset({"8"}))

    await database.write(work)
