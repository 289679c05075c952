"""Commands with real settings in a real database."""

from __future__ import annotations

import pytest

from bot.access.policy_store import PolicyStore
from bot.command_registry import CommandRunner
from bot.config.schema import AccessOptions, LimitOptions
from bot.resolve_answer_settings import ScopedSettings
from bot.store.database import Database
from tests.bot.commands.diary import TEXTS, Diary


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def runner(database: Database) -> CommandRunner:
    policies = PolicyStore(database, AccessOptions(operators=frozenset({"discord:mo"})), LimitOptions())
    return CommandRunner(ScopedSettings(database, TEXTS, {}, policies), policies, TEXTS)
