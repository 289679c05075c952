"""What is forgotten is gone, and nothing that somebody else showed goes with it."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.store import forgetting, graph
from bot.store.database import Database
from tests.bot.samples import ANN, BEN, add_message, picture


async def test_forgetting_takes_only_what_nobody_else_showed(database: Database) -> None:
    def work(connection: Connection) -> None:
        shared, own = picture(b"shared"), picture(b"own")
        add_message(connection, "mine", pictures=(shared, own))
        kept = add_message(connection, "ours", author=BEN, pictures=(shared,))
        deleted, unused = forgetting.forget(connection, ANN.key, str)
        assert (deleted, unused) == (1, [own.sha256])
        assert (graph.pictures_of(connection, [kept])) == {kept: (shared.sha256,)}
        assert (graph.name_of(connection, ANN.key), graph.name_of(connection, BEN.key)) == ("", "Ben")

    await database.write(work)


async def test_retention_goes_by_age(database: Database) -> None:
    def work(connection: Connection) -> None:
        old = add_message(connection, "old", at=100.0)
        young = add_message(connection, "young", parent=old, at=200.0)
        assert forgetting.expire(connection, before=150.0) == (1, [])
        assert [turn.id for turn in graph.branch(connection, young)] == [young]

    await database.write(work)


async def test_a_picture_that_lost_its_message_is_found(database: Database) -> None:
    """As when a message turns out to be stored already, after its picture was."""

    def work(connection: Connection) -> None:
        lost, shown = picture(b"lost"), picture(b"shown")
        add_message(connection, "here", pictures=(shown,))
        graph.add_pictures(connection, (lost,), at=0.0)
        assert forgetting.drop_unshown(connection, {shown.sha256}) == []
        assert forgetting.drop_unshown(connection) == [lost.sha256]
        assert graph.all_pictures(connection) == {shown.sha256}

    await database.write(work)
