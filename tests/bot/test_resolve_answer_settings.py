"""Whose value counts, on a real database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.access.policy_store import PolicyStore
from bot.answer_settings import SETTINGS, Memory
from bot.config.schema import AccessOptions, LimitOptions, RoleLimits
from bot.errors import Refusal
from bot.message import Author, Place, Value
from bot.resolve_answer_settings import Effective, Origin, ScopedSettings
from bot.store.database import Database
from bot.store.scoped_settings import Scope
from bot.texts import load_texts
from tests.bot.people import ADA, BOB, GROUP, MODERATOR, PRIVATE, SERVER, THREAD

LIMITS = LimitOptions(caps={"beams": 5, "max_new_tokens": 1000}, roles={"discord:fan": RoleLimits(caps={"beams": 8})})


@pytest.fixture
def settings(database: Database) -> ScopedSettings:
    return ScopedSettings(database, load_texts(), {"top_p": 0.9}, PolicyStore(database, AccessOptions(), LIMITS))


async def found(settings: ScopedSettings, name: str, place: Place = SERVER, author: Author = ADA) -> tuple[Value | None, Origin]:
    each = (await settings.effective(place, author))[name]
    return each.value, each.origin


async def test_nothing_set_means_defaults(settings: ScopedSettings) -> None:
    effective = await settings.effective(SERVER, ADA)
    assert list(effective) == list(SETTINGS)
    assert effective["temperature"] == Effective(SETTINGS["temperature"], None, Origin.MODEL)
    assert effective["beams"] == Effective(SETTINGS["beams"], 1, Origin.DEFAULT)
    assert effective["top_p"] == Effective(SETTINGS["top_p"], 0.9, Origin.DEFAULT)
    assert (await settings.resolve(SERVER, ADA, {}, None)).footer == ""


async def test_the_nearest_scope_counts(settings: ScopedSettings) -> None:
    """From the farthest to the nearest: each new value covers the last, and stays where it was set."""
    for place, scope, value, origin in (
        (THREAD, Scope.SERVER, 0.1, Origin.SERVER),
        (SERVER, Scope.CHANNEL, 0.2, Origin.CHANNEL),
        (THREAD, Scope.CHANNEL, 0.3, Origin.THREAD),
        (THREAD, Scope.PERSON, 0.4, Origin.PERSON),
    ):
        await settings.put(place, MODERATOR, scope, "temperature", value)
        assert await found(settings, "temperature", THREAD, MODERATOR) == (value, origin)
    assert await found(settings, "temperature", THREAD, BOB) == (0.3, Origin.THREAD)
    assert await found(settings, "temperature", SERVER, BOB) == (0.2, Origin.CHANNEL)
    assert await found(settings, "temperature", replace(SERVER, channel="other"), BOB) == (0.1, Origin.SERVER)
    assert await found(settings, "temperature", GROUP, BOB) == (None, Origin.MODEL)
    request = (await settings.effective(THREAD, MODERATOR, {"temperature": "1.5"}))["temperature"]
    assert (request.value, request.origin) == (1.5, Origin.REQUEST)


async def test_a_value_taken_back_uncovers_the_next(settings: ScopedSettings) -> None:
    await settings.put(SERVER, MODERATOR, Scope.CHANNEL, "beams", 3)
    await settings.put(SERVER, MODERATOR, Scope.PERSON, "beams", 2)
    assert await settings.clear(SERVER, MODERATOR, Scope.PERSON, "beams")
    assert await found(settings, "beams", SERVER, MODERATOR) == (3, Origin.CHANNEL)
    assert not await settings.clear(SERVER, MODERATOR, Scope.PERSON, "beams")


async def test_values_outlive_the_bot(settings: ScopedSettings, database: Database) -> None:
    await settings.put(SERVER, ADA, Scope.PERSON, "system_prompt", "Sei kurz. 简短。")
    again = ScopedSettings(database, load_texts(), {}, PolicyStore(database, AccessOptions(), LIMITS))
    assert await found(again, "system_prompt") == ("Sei kurz. 简短。", Origin.PERSON)


async def refusal(settings: ScopedSettings, scope: Scope, name: str, value: Value, place: Place = SERVER, author: Author = ADA) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await settings.put(place, author, scope, name, value)
    return refused.value


async def test_only_managers_set_values_for_all_until_they_open_it(settings: ScopedSettings) -> None:
    for scope in (Scope.CHANNEL, Scope.SERVER):
        assert (await refusal(settings, scope, "beams", 2)).key == "settings.not_yours_to_set"
    with pytest.raises(Refusal):
        await settings.clear(SERVER, ADA, Scope.CHANNEL, "beams")
    with pytest.raises(Refusal):
        await settings.open(SERVER, ADA, True)
    await settings.open(SERVER, MODERATOR, True)
    await settings.put(SERVER, ADA, Scope.CHANNEL, "beams", 2)
    assert await found(settings, "beams", THREAD, BOB) == (2, Origin.CHANNEL)
    await settings.open(SERVER, MODERATOR, False)
    assert (await refusal(settings, Scope.CHANNEL, "beams", 3)).key == "settings.not_yours_to_set"


async def test_a_group_without_server_is_opened_by_itself(settings: ScopedSettings) -> None:
    admin = replace(MODERATOR, platform="telegram")
    await settings.open(GROUP, admin, True)
    await settings.put(GROUP, ADA, Scope.CHANNEL, "beams", 2)
    assert (await refusal(settings, Scope.CHANNEL, "beams", 2, replace(GROUP, channel="-200"))).key == "settings.not_yours_to_set"


async def test_a_private_chat_belongs_to_its_person_and_has_no_server(settings: ScopedSettings) -> None:
    await settings.put(PRIVATE, ADA, Scope.CHANNEL, "beams", 2)
    assert await found(settings, "beams", PRIVATE) == (2, Origin.CHANNEL)
    assert (await refusal(settings, Scope.SERVER, "beams", 2, PRIVATE)).key == "settings.no_server"


async def test_caps_refuse_what_is_asked_for_and_cut_what_was_set_before(settings: ScopedSettings, database: Database) -> None:
    refused = await refusal(settings, Scope.PERSON, "beams", 6)
    assert (refused.key, refused.values) == ("settings.above_cap", {"name": "beams", "limit": 5.0})
    with pytest.raises(Refusal):
        await settings.resolve(SERVER, ADA, {"beams": 6}, None)
    fan = replace(ADA, roles=frozenset({"fan"}))
    await settings.put(SERVER, fan, Scope.PERSON, "beams", 8)
    assert await found(settings, "beams", SERVER, fan) == (8, Origin.PERSON)
    cut = (await settings.effective(SERVER, ADA))["beams"]  # the role was lost
    assert (cut.value, cut.cap, type(cut.value)) == (5, 5.0, int)
    tight = ScopedSettings(database, load_texts(), {}, PolicyStore(database, AccessOptions(), LimitOptions(caps={"max_new_tokens": 100})))
    assert await found(tight, "max_new_tokens") == (100, Origin.DEFAULT)


async def test_a_bad_value_in_a_request_names_its_range(settings: ScopedSettings) -> None:
    with pytest.raises(Refusal) as refused:
        await settings.resolve(SERVER, ADA, {"temperature": 3}, None)
    assert refused.value.values == {"name": "temperature", "low": 0, "high": 2, "given": "3"}


async def test_an_answer_gets_typed_settings_and_a_line_of_what_is_unusual(settings: ScopedSettings) -> None:
    await settings.put(SERVER, ADA, Scope.PERSON, "memory", "personal")
    await settings.put(SERVER, ADA, Scope.PERSON, "system_prompt", "Be brief.")
    resolved = await settings.resolve(SERVER, ADA, {"temperature": 1, "beams": 5, "top_p": 0.9}, "zh-TW")
    assert (resolved.settings.temperature, resolved.settings.beams, resolved.settings.top_p) == (1.0, 5, 0.9)
    assert (resolved.settings.memory, resolved.settings.language, resolved.settings.system_prompt) == (
        Memory.PERSONAL,
        "zh-TW",
        "Be brief.",
    )
    assert resolved.footer == "溫度 1 · 束數 5 · 自訂系統提示"


async def test_the_language_is_the_setting_then_the_locale_then_the_default(database: Database) -> None:
    chinese = ScopedSettings(database, load_texts(), {"language": "zh-CN"}, PolicyStore(database, AccessOptions(), LIMITS))
    assert await chinese.language(SERVER, ADA, None) == "zh-CN"
    assert await chinese.language(SERVER, ADA, "fr") == "zh-CN"
    assert await chinese.language(SERVER, ADA, "en-US") == "en"
    await chinese.put(SERVER, ADA, Scope.PERSON, "language", "中文")
    assert await chinese.language(SERVER, ADA, "en-US") == "zh-CN"
