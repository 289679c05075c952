"""Updates are stored until they are handled, apart for each bot; what nobody can read waits for the operator."""

from __future__ import annotations

from bot.store import updates
from bot.store.database import Database
from bot.store.update_inbox import UpdateInbox


async def test_what_is_not_handled_is_offered_again_oldest_first_to_its_own_bot(database: Database) -> None:
    inbox, other = UpdateInbox(database, "gander"), UpdateInbox(database, "goose")
    for number in (3, 1, 2):
        await inbox.keep("telegram", number, {"update_id": number})
    await inbox.release("telegram", 2)
    assert [(kept.number, kept.update) for kept in await inbox.pending("telegram")] == [(1, {"update_id": 1}), (3, {"update_id": 3})]
    assert await other.pending("telegram") == ()
    assert await inbox.pending("discord") == ()


async def test_what_can_not_be_read_waits_for_the_operator_until_it_expires(database: Database) -> None:
    inbox = UpdateInbox(database, "gander")
    await inbox.keep("telegram", 1, {"odd": True})
    await inbox.keep("telegram", 1, {"odd": True}, fault="no message")
    await inbox.keep("telegram", 1, {"odd": True})  # by whoever waited for it meanwhile
    assert (await inbox.pending("telegram"), await inbox.unreadable()) == ((), {"telegram": 1})
    await database.write(updates.expire, float("inf"))
    assert await inbox.unreadable() == {}


async def test_an_account_s_updates_are_whoever_serves_it(database: Database) -> None:
    """Another bot goes on with what a dead one left, and what an older version kept by a bot's name is not lost."""
    one, two = UpdateInbox(database, "one"), UpdateInbox(database, "two")
    await one.keep("telegram", 1, {"old": True})
    account = await one.of_account("telegram", "42")
    await account.keep("telegram", 2, {"new": True})
    await one.keep("telegram", 2, {"twice": True})
    taken = await two.of_account("telegram", "42")
    await one.of_account("telegram", "42")
    assert [(kept.number, kept.update) for kept in await taken.pending("telegram")] == [(1, {"old": True}), (2, {"new": True})]
    assert await one.pending("telegram") == ()
