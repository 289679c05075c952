"""Each engine of each bot on the database is owed what was deleted, until it confirmed it."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from bot.store import forgetting, owed_forgets
from bot.store.database import Database, DatabaseTime
from bot.store.tables import BotRow, OwedForgetRow
from tests.bot.samples import ANN, add_message, picture


def all_owed(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute(select(OwedForgetRow.owner, OwedForgetRow.engine).order_by(OwedForgetRow.id))
    return [(owner, engine) for owner, engine in rows]


async def test_each_bot_tells_an_engine_that_they_share(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(insert(BotRow).values(name="one", heartbeat=DatabaseTime()))
        connection.execute(insert(BotRow).values(name="two", heartbeat=DatabaseTime()))
        for owner in ("one", "two", "dead"):
            assert owed_forgets.register(connection, owner, ["http://shared"], 1.0) == ()
        own = picture(b"own")
        add_message(connection, "mine", pictures=(own,))
        forgetting.forget(connection, ANN.key, str)
        [mine] = owed_forgets.owed(connection, "one")
        assert (mine.sha256s, owed_forgets.engines_owed(connection)) == ((own.sha256,), 1)
        owed_forgets.note_told(connection, "http://shared", [mine])
        assert owed_forgets.engines_owed(connection) == 0
        owed_forgets.confirm(connection, "one", "http://shared", [mine])
        assert all_owed(connection) == [("two", "http://shared")]  # which may have an answer under way there

    await database.write(work)


async def test_an_engine_that_nobody_runs_any_more_is_given_up_in_the_end(database: Database) -> None:
    def work(connection: Connection) -> None:
        owed_forgets.register(connection, "one", ["http://old"], 100.0)
        owed_forgets.owe(connection, ["a" * 64])
        assert owed_forgets.register(connection, "one", ["http://new"], 200.0) == ("http://old",)
        assert all_owed(connection) == [("one", "http://old"), ("one", "http://new")]
        assert owed_forgets.expire(connection, 150.0) == ("http://old",)
        assert all_owed(connection) == [("one", "http://new")]

    await database.write(work)
