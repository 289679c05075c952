"""Who may use the bot, and who may set values for others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.access.permissions import Access, check_lists, may_set_for_all
from bot.access.policy_store import PolicyStore
from bot.config.schema import AccessOptions, LimitOptions
from bot.errors import Refusal
from bot.message import Address, Author, Place
from bot.store.database import Database
from tests.bot.people import ADA, GROUP, MODERATOR, PRIVATE, SERVER, TERMINAL, THREAD, said

CREW = replace(ADA, roles=frozenset({"crew"}))
ALLOWED = ""


def verdict(place: Place, author: Author, lists: dict[str, Any]) -> str:
    try:
        check_lists(AccessOptions(**lists), place, author)
    except Refusal as refusal:
        return refusal.key
    return ALLOWED


def keys(*names: str) -> frozenset[str]:
    return frozenset(names)


GOOSE = {"allow_servers": keys("discord:goose")}


@pytest.mark.parametrize(
    ("place", "author", "lists", "expected"),
    [
        (SERVER, ADA, {}, "access.person"),  # nobody decided yet
        (PRIVATE, ADA, {}, "access.private"),
        (SERVER, ADA, {"everyone": True}, ALLOWED),
        (PRIVATE, ADA, {"everyone": True}, ALLOWED),
        (SERVER, ADA, GOOSE, ALLOWED),
        (THREAD, ADA, GOOSE, ALLOWED),
        (PRIVATE, ADA, GOOSE, "access.private"),
        (GROUP, ADA, GOOSE, "access.place"),
        (PRIVATE, ADA, GOOSE | {"allow_private": True}, ALLOWED),
        (SERVER, ADA, {"allow_private": True}, "access.person"),
        (THREAD, ADA, {"allow_channels": keys("discord:general")}, ALLOWED),
        (THREAD, ADA, {"allow_channels": keys("discord:general/t1")}, ALLOWED),
        (SERVER, ADA, {"allow_channels": keys("discord:general/t1")}, "access.place"),
        (SERVER, ADA, {"allow_people": keys("discord:ada")}, ALLOWED),
        (SERVER, ADA, {"allow_people": keys("telegram:ada")}, "access.person"),
        (PRIVATE, ADA, {"allow_people": keys("discord:ada")}, ALLOWED),
        (SERVER, ADA, {"allow_roles": keys("discord:crew")}, "access.person"),
        (SERVER, CREW, {"allow_roles": keys("discord:crew")}, ALLOWED),
        (SERVER, ADA, GOOSE | {"allow_roles": keys("discord:crew")}, "access.person"),
        (SERVER, ADA, {"everyone": True, "deny_people": keys("discord:ada")}, "access.denied"),
        (SERVER, CREW, {"everyone": True, "deny_roles": keys("discord:crew")}, "access.denied"),
        (THREAD, ADA, {"everyone": True, "deny_channels": keys("discord:general")}, "access.denied"),
        (SERVER, ADA, {"everyone": True, "deny_servers": keys("discord:goose")}, "access.denied"),
        (GROUP, ADA, {"everyone": True, "deny_servers": keys("discord:goose")}, ALLOWED),
    ],
)
def test_who_may_use_it_where(place: Place, author: Author, lists: dict[str, Any], expected: str) -> None:
    assert verdict(place, author, lists) == expected


def access_of(database: Database, options: AccessOptions) -> Access:
    return Access(PolicyStore(database, options, LimitOptions()))


async def test_other_bots_are_not_heard_unless_listed(database: Database) -> None:
    robot = said(replace(ADA, is_bot=True))
    everybody, listing = (access_of(database, AccessOptions(**each)) for each in ({"everyone": True}, {"allow_bots": keys("discord:ada")}))
    assert not await everybody.is_for_bot(robot)
    assert await listing.is_for_bot(robot)
    assert await everybody.is_for_bot(said(ADA))
    assert not await everybody.is_for_bot(replace(said(ADA), address=Address.OVERHEARD))


async def test_whoever_sits_at_the_machine_is_let_in(database: Database) -> None:
    await access_of(database, AccessOptions()).check(said(place=TERMINAL))
    with pytest.raises(Refusal):
        await access_of(database, AccessOptions()).check(said(place=SERVER))


@pytest.mark.parametrize(
    ("place", "author", "opened", "expected"),
    [
        (SERVER, ADA, False, False),
        (SERVER, ADA, True, True),
        (SERVER, MODERATOR, False, True),
        (PRIVATE, ADA, False, True),
        (TERMINAL, ADA, False, True),
    ],
)
def test_who_may_set_values_for_others(place: Place, author: Author, opened: bool, expected: bool) -> None:
    assert may_set_for_all(place, author, opened=opened) == expected


def test_where_only_adults_may_look_it_answers_nowhere_else() -> None:
    lists = {"everyone": True, "age_restricted_only": True}
    assert verdict(replace(SERVER, age_restricted=True), ADA, lists) == ALLOWED
    assert [verdict(place, ADA, lists) for place in (SERVER, PRIVATE)] == ["access.age"] * 2
