"""Branches stay apart, replies find their message whatever part they name, and what is forgotten is gone."""

from __future__ import annotations

import pytest

from bot.store import deliveries, graph
from bot.store.database import Database
from tests.bot.samples import ANN, BEN, PLACE, add_answer, add_message, picture


async def test_a_branch_holds_its_own_way_to_the_root_only(database: Database) -> None:
    async with database.write() as connection:
        root = await add_message(connection, "what is it?", pictures=(picture(),))
        answer = await add_answer(connection, root)
        left = await add_message(connection, "how old?", parent=answer)
        right = await add_message(connection, "what colour?", parent=answer, author=BEN)
        turns = await graph.branch(connection, right)
    assert [turn.text for turn in turns] == ["what is it?", "", "what colour?"]
    assert [turn.sha256s for turn in turns] == [(picture().sha256,), (), ()]
    assert left not in {turn.id for turn in turns}


async def test_the_same_message_is_stored_once(database: Database) -> None:
    async with database.write() as connection:
        first = await add_message(connection, "what is it?", platform_id="17")
        again = graph.NewMessage(PLACE.key, "17", None, "c", ANN.key, "user", "what is it?", 0.0)
        assert await graph.add(connection, again) is None
        found = await graph.find(connection, PLACE.key, "17")
    assert found == graph.Node(first, "c", ANN.key, spoiler=False)


async def test_a_reply_to_any_part_of_an_answer_finds_the_answer(database: Database) -> None:
    async with database.write() as connection:
        answer = await add_answer(connection, await add_message(connection, "tell me a story"))
        for part in range(2):
            delivery = await deliveries.intend(connection, answer, part, PLACE.key, at=0.0)
            assert delivery is not None
            await deliveries.sent(connection, delivery.id, f"part{part}")
        found = [await graph.find(connection, PLACE.key, name) for name in ("part0", "part1", "part2")]
    assert [node.id if node else None for node in found] == [answer, answer, None]


async def test_the_pointer_follows_and_grows_old(database: Database) -> None:
    async with database.write() as connection:
        first, second = await add_message(connection, "one"), await add_message(connection, "two")
        await graph.point(connection, PLACE.key, ["", ANN.key], first, at=100.0)
        await graph.point(connection, PLACE.key, [""], second, at=200.0)
        shared = await graph.newest(connection, PLACE.key, "", since=150.0)
        own = await graph.newest(connection, PLACE.key, ANN.key, since=50.0)
        assert (shared and shared.id, own and own.id) == (second, first)
        assert await graph.newest(connection, PLACE.key, ANN.key, since=150.0) is None
        await graph.unpoint(connection, PLACE.key, [""])
        assert await graph.newest(connection, PLACE.key, "", since=0.0) is None


async def test_forgetting_takes_only_what_nobody_else_showed(database: Database) -> None:
    async with database.write() as connection:
        shared, own = picture(b"shared"), picture(b"own")
        await add_message(connection, "mine", pictures=(shared, own))
        kept = await add_message(connection, "ours", author=BEN, pictures=(shared,))
        deleted, unused = await graph.forget(connection, ANN.key)
        assert (deleted, unused) == (1, [own.sha256])
        assert (await graph.pictures_of(connection, [kept])) == {kept: (shared.sha256,)}
        assert (await graph.name_of(connection, ANN.key), await graph.name_of(connection, BEN.key)) == ("", "Ben")


async def test_retention_goes_by_age(database: Database) -> None:
    async with database.write() as connection:
        old = await add_message(connection, "old", at=100.0)
        young = await add_message(connection, "young", parent=old, at=200.0)
        assert await graph.expire(connection, before=150.0) == (1, [])
        assert [turn.id for turn in await graph.branch(connection, young)] == [young]


async def test_a_place_comes_back_as_it_was(database: Database) -> None:
    async with database.write() as connection:
        await graph.introduce(connection, PLACE, ANN)
        await graph.introduce(connection, PLACE, ANN)
        assert await graph.place_of(connection, PLACE.key) == PLACE


@pytest.mark.parametrize("unknown", [True, False])
async def test_an_unknown_send_is_repeated_with_its_nonce_and_counted(database: Database, unknown: bool) -> None:
    async with database.write() as connection:
        answer = await add_answer(connection, await add_message(connection, "hello"))
        first = await deliveries.intend(connection, answer, 0, PLACE.key, at=0.0)
        assert first is not None
        if not unknown:
            await deliveries.unsent(connection, first.id)
        second = await deliveries.intend(connection, answer, 0, PLACE.key, at=1.0)
        assert second is not None
        assert (second.nonce == first.nonce, await deliveries.repeats(connection)) == (unknown, int(unknown))


async def test_a_forgotten_answer_is_not_sent(database: Database) -> None:
    async with database.write() as connection:
        answer = await add_answer(connection, await add_message(connection, "hello"))
        await graph.forget(connection, ANN.key)
        assert await deliveries.intend(connection, answer, 0, PLACE.key, at=0.0) is None
        assert await graph.answer(connection, answer) is None
