"""`/setup`: rules that a server's managers give their server and operators everywhere, kept in a real database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.access.permissions import Access
from bot.access.policy_store import PolicyStore
from bot.command_registry import CommandRunner
from bot.config.schema import AccessOptions, LimitOptions
from bot.errors import Refusal
from bot.message import Author, Place, Value
from bot.resolve_answer_settings import ScopedSettings
from bot.store.database import Database
from bot.texts import load_texts
from tests.bot.commands.diary import Diary
from tests.bot.people import ADA, BOB, GROUP, MODERATOR, PRIVATE, SERVER, THREAD, given, said

TEXTS = load_texts()
ELSEWHERE = Place("discord", "general", server="77")
CREW = replace(ADA, roles=frozenset({"7"}))
FRAME = AccessOptions(allow_servers=frozenset({"discord:goose"}), operators=frozenset({"discord:mo"}))


class Setting:
    """A bot with one configuration, and its managers."""

    def __init__(self, database: Database) -> None:
        self.policies = PolicyStore(database, FRAME, LimitOptions())
        self.access = Access(self.policies)
        self._runner = CommandRunner(ScopedSettings(database, TEXTS, {}, self.policies), self.policies, TEXTS)

    async def up(self, author: Author = MODERATOR, place: Place = SERVER, /, **options: Value) -> str:
        outgoing = await self._runner.run(given("setup", options, author, place), Diary())
        assert outgoing is not None
        assert outgoing.private
        return outgoing.text

    async def refusal(self, author: Author = MODERATOR, place: Place = SERVER, /, **options: Value) -> str:
        with pytest.raises(Refusal) as refused:
            await self.up(author, place, **options)
        assert TEXTS.render("zh-CN", refused.value.key, **refused.value.values)
        return refused.value.key

    async def lets_in(self, author: Author = ADA, place: Place = SERVER) -> str:
        """Nothing, or the reason why not."""
        try:
            await self.access.check(said(author, place))
        except Refusal as refused:
            return refused.key
        return ""


@pytest.fixture
def setting(database: Database) -> Setting:
    return Setting(database)


@pytest.mark.parametrize(
    ("rule", "person", "expected"),
    [
        ({"rule": "allow", "role": "<@&7>"}, (ADA, SERVER), "access.person"),
        ({"rule": "allow", "role": "7"}, (CREW, SERVER), ""),
        ({"rule": "allow", "person": "8"}, (BOB, SERVER), "access.person"),
        ({"rule": "deny", "role": "7"}, (CREW, SERVER), "access.denied"),
        ({"rule": "allow", "channel": "5"}, (ADA, SERVER), "access.place"),
        ({"rule": "deny", "channel": "5"}, (ADA, replace(THREAD, channel="5")), "access.denied"),
        ({"rule": "deny", "channel": "5/7"}, (ADA, replace(THREAD, channel="5", thread="7")), "access.denied"),
        ({"rule": "deny", "channel": "5/7"}, (ADA, replace(SERVER, channel="5")), ""),
        ({"rule": "adults"}, (ADA, SERVER), "access.age"),
        ({"rule": "adults"}, (ADA, replace(SERVER, age_restricted=True)), ""),
    ],
)
async def test_a_rule_counts_on_its_server_until_it_is_taken_back(
    setting: Setting, rule: dict[str, Any], person: tuple[Author, Place], expected: str
) -> None:
    assert "Done." in await setting.up(**rule)
    assert await setting.lets_in(*person) == expected
    assert await setting.lets_in(ADA, ELSEWHERE) == "access.place"  # the configuration's own word
    await setting.up(**rule, clear=True)
    assert await setting.lets_in(*person) == ""


async def test_it_shows_what_is_set_and_how_to_change_it(setting: Setting) -> None:
    assert "None besides those of my configuration." in await setting.up()
    await setting.up(rule="allow", role="7", person="8")
    await setting.up(rule="beams", amount=3)
    await setting.up(rule="cooldown", amount="0,5", role="7")
    lines = (await setting.up()).splitlines()
    assert lines[:-1] == [
        "**Rules here**",
        "Open to the roles: discord:7",
        "Open to the people: discord:8",
        "most beams: 3",
        "seconds between two questions (discord:7): 0.5",
    ]
    await setting.up(rule="beams", clear=True)
    await setting.up(rule="cooldown", role="7", clear=True)
    assert "seconds" not in await setting.up()


async def test_limits_count_for_everybody_and_otherwise_for_a_role(setting: Setting) -> None:
    await setting.up(rule="beams", amount=2)
    await setting.up(rule="beams", amount=4, role="7")
    await setting.up(rule="cooldown", amount=30)
    caps = [(await setting.policies.allowance(SERVER, author)).caps["beams"] for author in (ADA, CREW)]
    assert caps == [2, 4]
    assert [seconds for _, seconds in await setting.policies.question_pauses(SERVER, ADA)] == [30]
    assert (await setting.policies.allowance(ELSEWHERE, ADA)).caps["beams"] == 5


async def test_moderators_and_bots_are_named(setting: Setting) -> None:
    assert not await setting.policies.moderates(SERVER, CREW)
    await setting.up(rule="moderators", role="7")
    assert [await setting.policies.moderates(SERVER, each) for each in (ADA, CREW)] == [False, True]
    robot = said(Author("discord", "8", "robot", is_bot=True))
    assert not await setting.access.is_for_bot(robot)
    await setting.up(rule="bots", person="8")
    assert await setting.access.is_for_bot(robot)
    assert not await setting.access.is_for_bot(replace(robot, place=ELSEWHERE))


async def test_operators_add_to_the_configuration_for_everywhere(setting: Setting) -> None:
    assert "**Rules everywhere**" in await setting.up(MODERATOR, PRIVATE, rule="allow", server="77", everywhere=True)
    assert await setting.lets_in(ADA, ELSEWHERE) == ""
    await setting.up(MODERATOR, PRIVATE, rule="deny", person="9", everywhere=True)
    assert await setting.lets_in(Author("discord", "9", "Nine"), ELSEWHERE) == "access.denied"
    keeper = replace(BOB, manages=True)
    assert await setting.refusal(keeper, SERVER, rule="deny", person="9", everywhere=True) == "setup.not_operator"


async def test_a_chat_without_servers_has_rules_of_its_own(setting: Setting) -> None:
    keeper = Author("telegram", "1", "Keeper", manages=True)
    await setting.up(keeper, GROUP, rule="beams", amount=1)
    assert (await setting.policies.allowance(GROUP, keeper)).caps["beams"] == 1
    assert (await setting.policies.allowance(replace(GROUP, channel="-7"), keeper)).caps["beams"] == 5


async def test_what_can_t_be_a_rule_is_refused_with_the_remedy(setting: Setting) -> None:
    assert await setting.refusal(ADA, SERVER, rule="adults") == "settings.not_yours_to_open"
    assert await setting.refusal(ADA, PRIVATE) == "setup.private"
    assert await setting.refusal(rule="allow") == "setup.whom"
    assert await setting.refusal(rule="moderators", person="8") == "setup.whom"
    assert await setting.refusal(rule="allow", server="77") == "setup.servers"
    assert await setting.refusal(rule="beams") == "setup.amount"
    assert await setting.refusal(rule="beams", amount=7) == "settings.above_cap"
    assert await setting.refusal(rule="beams", amount=0) == "settings.not_a_whole_number_in_range"
    assert await setting.refusal(rule="cooldown", amount="soon") == "settings.not_a_number_in_range"
    assert await setting.refusal(rule="frolic") == "settings.not_a_choice"


async def test_another_bot_on_the_database_sees_a_change_soon(database: Database) -> None:
    now = [0.0]
    other = PolicyStore(database, FRAME, LimitOptions(), lambda: now[0])
    assert not await other.moderates(SERVER, CREW)
    await Setting(database).up(rule="moderators", role="7")
    now[0] += 6
    assert await other.moderates(SERVER, CREW)


async def test_a_limit_for_a_role_that_is_none_does_not_become_everybodys(setting: Setting) -> None:
    assert await setting.refusal(rule="beams", amount=1, role="@crew") == "settings.not_an_id.role"
    assert await setting.refusal(rule="allow", person="@fred2024") == "settings.not_an_id.person"
    assert await setting.lets_in() == ""
    assert (await setting.policies.at_place(SERVER)).caps == {}
