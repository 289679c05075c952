"""The engine's processes get what tunes a device, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.load import SECRETS
from bot.engines.environment import engine_environment

HOME = Path("/data")
PASSED = {
    "PATH": "/bin",
    "LD_LIBRARY_PATH": "/usr/lib",
    "CUDA_VISIBLE_DEVICES": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HOME": "/models",
    "HTTPS_PROXY": "http://proxy:3128",
    "TOKENIZERS_PARALLELISM": "false",
    "KEYBOARD": "us",
}
KEPT_BACK = {
    "GANDER_DISCORD_TOKEN",
    "GANDER_TELEGRAM_TOKEN",
    "GANDER_WEB_PASSWORD",
    "GANDER_ENGINE_KEY",
    "HF_TOKEN",
    "OPENAI_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "PGPASSWORD",
    "SENTRY_DSN",
    "discord_token",
}


def test_the_engine_gets_what_it_needs() -> None:
    assert engine_environment(HOME, "k", PASSED) == PASSED | {"GANDER_HOME": "/data", "GANDER_ENGINE_KEY": "k"}


@pytest.mark.parametrize("name", sorted(KEPT_BACK | {secret.variable for secret in SECRETS}))
def test_secrets_by_their_name_stay_here(name: str) -> None:
    assert engine_environment(HOME, environ={name: "planted"}) == {"GANDER_HOME": "/data"}


@pytest.mark.parametrize("value", ["http://me:planted@proxy:3128", "postgresql://me:planted@host/db", "socks5h://:planted@host"])
def test_addresses_with_a_password_stay_here(value: str) -> None:
    assert engine_environment(HOME, environ={"HTTPS_PROXY": value}) == {"GANDER_HOME": "/data"}
