"""Branches stay apart, replies find their message whatever part they name, and what is forgotten is gone."""

from __future__ import annotations

from time import time

import pytest
from sqlalchemy import Connection

from bot.store import deliveries, graph
from bot.store.database import Database
from tests.bot.samples import ANN, BEN, PLACE, add_answer, add_message, picture


async def test_a_branch_holds_its_own_way_to_the_root_only(database: Database) -> None:
    def work(connection: Connection) -> None:
        root = add_message(connection, "what is it?", pictures=(picture(),))
        answer = add_answer(connection, root)
        left = add_message(connection, "how old?", parent=answer)
        right = add_message(connection, "what colour?", parent=answer, author=BEN)
        turns = graph.branch(connection, right)
        assert [turn.text for turn in turns] == ["what is it?", "", "what colour?"]
        assert [turn.sha256s for turn in turns] == [(picture().sha256,), (), ()]
        assert left not in {turn.id for turn in turns}

    await database.write(work)


async def test_the_same_message_is_stored_once(database: Database) -> None:
    def work(connection: Connection) -> None:
        first = add_message(connection, "what is it?", platform_id="17")
        again = graph.NewMessage(PLACE.key, "17", None, "c", ANN.key, "user", "what is it?", 0.0)
        assert graph.add(connection, again) is None
        found = graph.find(connection, PLACE.key, "17")
        assert found == graph.Node(first, "c", ANN.key, spoiler=False)

    await database.write(work)


async def test_a_reply_to_any_part_of_an_answer_finds_the_answer(database: Database) -> None:
    def work(connection: Connection) -> None:
        answer = add_answer(connection, add_message(connection, "tell me a story"))
        for part in range(2):
            delivery = deliveries.intend(connection, answer, part, PLACE, at=0.0)
            assert delivery is not None
            deliveries.sent(connection, delivery.id, f"part{part}")
        found = [graph.find(connection, PLACE.key, name) for name in ("part0", "part1", "part2")]
        assert [node.id if node else None for node in found] == [answer, answer, None]

    await database.write(work)


async def test_the_pointer_follows_and_grows_old(database: Database) -> None:
    def work(connection: Connection) -> None:
        first, second = add_message(connection, "one"), add_message(connection, "two")
        graph.point(connection, PLACE.key, ["", ANN.key], first, at=100.0)
        graph.point(connection, PLACE.key, [""], second, at=200.0)
        shared = graph.newest(connection, PLACE.key, "", since=150.0)
        own = graph.newest(connection, PLACE.key, ANN.key, since=50.0)
        assert (shared and shared.id, own and own.id) == (second, first)
        assert graph.newest(connection, PLACE.key, ANN.key, since=150.0) is None
        graph.unpoint(connection, PLACE.key, [""])
        assert graph.newest(connection, PLACE.key, "", since=0.0) is None

    await database.write(work)


@pytest.mark.parametrize("seconds", [60.0, 7_200.0])
async def test_a_clock_that_is_set_back_does_not_stop_the_pointer(database: Database, seconds: float) -> None:
    def work(connection: Connection) -> None:
        before, after, late = (add_message(connection, text) for text in ("before", "after", "late"))
        graph.point(connection, PLACE.key, [""], before, at=time() + seconds)
        graph.point(connection, PLACE.key, [""], after, at=time())
        graph.point(connection, PLACE.key, [""], late, at=time() - 10, waited=10)  # its files took so long
        found = graph.newest(connection, PLACE.key, "", since=0.0)
        assert found is not None
        assert found.id == after

    await database.write(work)


async def test_a_clock_that_is_behind_when_a_question_comes_and_right_when_it_is_stored(database: Database) -> None:
    def work(connection: Connection) -> None:
        before, after = (add_message(connection, text) for text in ("before", "after"))
        graph.point(connection, PLACE.key, [""], before, at=time())
        graph.point(connection, PLACE.key, [""], after, at=time() - 60, waited=1)
        found = graph.newest(connection, PLACE.key, "", since=0.0)
        assert found is not None
        assert found.id == after

    await database.write(work)


async def test_an_answer_knows_its_place_as_it_was_described_last(database: Database) -> None:
    def work(connection: Connection) -> None:
        answer = graph.answer(connection, add_answer(connection, add_message(connection, "why?", platform_id="17")))
        assert answer == graph.Answer("", None, "", False, "17", PLACE)

    await database.write(work)
