"""`/privacy` says what is kept, and how long: by default not for ever."""

from __future__ import annotations

from bot.access.policy_store import PolicyStore
from bot.command_registry import CommandRunner
from bot.config.schema import AccessOptions, Config, LimitOptions
from bot.resolve_answer_settings import ScopedSettings
from bot.store.database import Database
from tests.bot.commands.diary import TEXTS, Diary, say
from tests.bot.people import commanded


def runner(database: Database, config: Config) -> CommandRunner:
    policies = PolicyStore(database, AccessOptions(), LimitOptions())
    return CommandRunner(ScopedSettings(database, TEXTS, {}, policies), policies, TEXTS, retention_days=config.retention.days)


async def test_it_says_what_is_kept_and_when_it_goes_by_itself(database: Database, diary: Diary) -> None:
    said = await say(runner(database, Config()), diary, commanded("privacy"))
    assert "4 messages, 2 pictures" in said
    assert "older than 90 days" in said
    assert "/forget" in said


async def test_what_is_kept_for_ever_is_said_to_be(database: Database, diary: Diary) -> None:
    said = await say(runner(database, Config.model_validate({"retention": {"days": 0}})), diary, commanded("privacy"))
    assert "not set a time" in said
    assert "days" not in said
