"""A person's list of conversations: titles, order, search, pages of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from bot.store import conversations, graph
from bot.store.database import Database
from tests.bot.samples import ANN, PLACE, add_message, picture

OTHER = "web:elsewhere"


def talk(connection: Connection, key: str, *texts: str, place: str = PLACE.key) -> int:
    """A conversation of these messages, one after the other; the id of its first."""
    add_message(connection, "introduces the place and the person")
    parent = None
    ids: list[int] = []
    for text in texts:
        parent = graph.add(connection, graph.NewMessage(place, None, parent, key, ANN.key, "user", text, float(len(ids))))
        assert parent is not None
        ids.append(parent)
    return ids[0]


def keys(found: tuple[conversations.Listed, ...]) -> list[str]:
    return [listed.key for listed in found if listed.key != "c"]


async def test_the_one_spoken_in_last_comes_first_under_its_first_question(database: Database) -> None:
    def work(connection: Connection) -> None:
        first = talk(connection, "geese", "How many geese?", "And ducks?")
        talk(connection, "cats", "A cat?")
        graph.add(connection, graph.NewMessage(PLACE.key, None, first, "geese", ANN.key, "user", "One more", 9.0))
        found = [listed for listed in conversations.listed(connection, PLACE.key) if listed.key != "c"]
        assert [(listed.key, listed.title) for listed in found] == [("geese", "How many geese?"), ("cats", "A cat?")]

    await database.write(work)


@pytest.mark.parametrize(
    ("search", "expected"), [("DUCKS", ["geese"]), ("鹅", ["chinese"]), ("100%", ["percent"]), ("0%x", []), ("named", ["cats"])]
)
async def test_a_search_finds_words_and_titles_and_takes_signs_as_they_are(database: Database, search: str, expected: list[str]) -> None:
    def work(connection: Connection) -> None:
        talk(connection, "geese", "How many geese?", "And ducks?")
        talk(connection, "chinese", "几只鹅？")
        talk(connection, "percent", "Is it 100% white?")
        talk(connection, "cats", "A cat?")
        assert conversations.rename(connection, PLACE.key, "cats", "As I named it")
        assert keys(conversations.listed(connection, PLACE.key, search)) == expected

    await database.write(work)


async def test_a_list_goes_on_before_its_last_one_and_misses_none(database: Database) -> None:
    def work(connection: Connection) -> None:
        for number in range(5):
            talk(connection, f"k{number}", "One", "Two")
        found: list[str] = []
        before = None
        while page := conversations.listed(connection, PLACE.key, before=before, limit=2):
            found += keys(page)
            before = page[-1].newest
        assert found == ["k4", "k3", "k2", "k1", "k0"]

    await database.write(work)


async def test_a_title_can_be_given_and_taken_back_here_alone(database: Database) -> None:
    def work(connection: Connection) -> None:
        talk(connection, "geese", "How many geese?")
        assert not conversations.rename(connection, OTHER, "geese", "Mine now")
        assert not conversations.rename(connection, PLACE.key, "nothing", "Title")
        assert conversations.rename(connection, PLACE.key, "geese", "Birds")
        titles = [listed.title for listed in conversations.listed(connection, PLACE.key, "Birds")]
        assert conversations.rename(connection, PLACE.key, "geese", "")
        titles += [listed.title for listed in conversations.listed(connection, PLACE.key, "How many")]
        assert titles == ["Birds", "How many geese?"]

    await database.write(work)


async def test_its_picture_is_the_first_message_s(database: Database) -> None:
    def work(connection: Connection) -> None:
        add_message(connection, "Look", pictures=(picture(), picture(b"another")))
        (listed,) = conversations.listed(connection, PLACE.key)
        assert listed.picture == picture().sha256

    await database.write(work)
