"""`gander doctor`: what it finds on this machine and beyond it, and what it says to do."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from adapters.cli.doctor import look_at_machine, look_at_port, look_at_torch, look_for_compiler
from adapters.cli.doctor_findings import Finding
from adapters.cli.doctor_network import look_elsewhere
from bot.config.schema import Config
from tests.adapters.strict.discord.api import TOKEN as DISCORD_TOKEN
from tests.adapters.strict.discord.api import DiscordApi
from tests.adapters.strict.discord.api import serving as serving_discord
from tests.adapters.strict.discord.redirected import redirect
from tests.adapters.strict.telegram.server import TOKEN as TELEGRAM_TOKEN
from tests.adapters.strict.telegram.server import BotApi
from tests.adapters.strict.telegram.server import serving as serving_telegram
from tests.bot.other_servers import OLLAMA, WRONG_KEY, OtherServer

ANYBODY = {"everyone": True}


def doctor(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "adapters", "doctor", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "GANDER_HOME": str(home), "HOME": str(home), "COLUMNS": "200", **environ}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=home)


def of(findings: Iterable[Finding], what: str) -> Finding:
    return next(finding for finding in findings if finding.what == what)


def test_it_names_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    looked = doctor(tmp_path)
    assert looked.returncode == 0
    named = ("Python", "torch", "GPU", "disk", "memory", "gander model pull pocket", str(tmp_path), "HEIC", "page's port", "engine's port")
    assert all(word in looked.stdout for word in named)


def test_a_configuration_that_can_not_be_used_is_a_finding_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "gander.toml").write_text("[engine]\nmodle = 'x'\n")
    looked = doctor(tmp_path)
    assert looked.returncode == 1
    assert "engine.modle is no option" in looked.stdout
    assert "Traceback" not in looked.stderr


def test_a_folder_is_tried_by_writing() -> None:
    finding = [each for each in look_at_machine(Path("/proc/gander")) if each.what == "data folder"][-1]
    assert finding.missing
    assert "GANDER_HOME" in finding.remedy


def test_a_port_is_tried_by_binding() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert "can't be had" in look_at_port("page's port", "127.0.0.1", port, "Another one.").found
    assert look_at_port("page's port", "127.0.0.1", port, "Another one.").found == f"{port} is free"


def test_torch_is_not_missed_where_engines_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cli.doctor.find_spec", lambda name: None)
    assert [each.missing for needed in (True, False) for each in look_at_torch(tmp_path, needed=needed)] == [True, False]


async def test_telegram_says_who_the_bot_is_or_that_the_token_is_wrong() -> None:
    async with serving_telegram(BotApi()) as url:
        right, wrong = [await look_elsewhere(telegram(url, token)) for token in (TELEGRAM_TOKEN, TELEGRAM_TOKEN[:-1] + "x")]
    assert of(right, "Telegram").found.startswith("signed in as @")
    assert of(wrong, "Telegram").missing
    assert "@BotFather" in of(wrong, "Telegram").found


async def test_a_platform_that_can_not_be_reached_is_no_wrong_token() -> None:
    finding = of(await look_elsewhere(telegram("http://127.0.0.1:9", TELEGRAM_TOKEN)), "Telegram")
    assert "can't be reached" in finding.found
    assert "network.proxy" in finding.remedy


def telegram(url: str, token: str) -> Config:
    return Config.model_validate({"telegram": {"token": token, "server": url}, "web": {"enabled": False}, "access": ANYBODY})


async def test_discord_says_who_the_bot_is_or_that_the_token_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving_discord(DiscordApi()) as address:
        redirect(address, monkeypatch.setattr)
        right, wrong = [await look_elsewhere(discord(token)) for token in (DISCORD_TOKEN, "Nzc.wrong.token")]
    assert of(right, "Discord").found.startswith("signed in as ")
    assert "does not know this token" in of(wrong, "Discord").found


def discord(token: str) -> Config:
    return Config.model_validate({"discord": {"token": token}, "web": {"enabled": False}, "access": ANYBODY})


async def test_it_says_that_nobody_was_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"telegram": {"token": TELEGRAM_TOKEN, "server": "http://127.0.0.1:9"}})
    assert "[access]" in of(await look_elsewhere(config), "access").found


@pytest.mark.parametrize(
    ("server", "model", "said", "missing"),
    [
        (OtherServer(models=OLLAMA), "llava", "llava:latest at ", False),
        (OtherServer(models=OLLAMA), "gemma", "one of: nomic-embed-text:latest", True),
        (OtherServer(models=WRONG_KEY, models_status=401), "", "GANDER_ENGINE_KEY", True),
        (OtherServer(models="<html>"), "", "no OpenAI-compatible server", True),
    ],
)
async def test_an_engine_elsewhere_names_its_model_or_what_is_wrong(server: OtherServer, model: str, said: str, missing: bool) -> None:
    async with server.serving() as url:
        engine = {"url": url} | ({"model": model} if model else {})
        finding = of(await look_elsewhere(Config.model_validate({"engine": engine})), "engine")
    assert said in finding.found
    assert finding.missing is missing


async def test_no_token_is_ever_shown(capsys: pytest.CaptureFixture[str]) -> None:
    findings = await look_elsewhere(telegram("http://127.0.0.1:9", TELEGRAM_TOKEN))
    assert TELEGRAM_TOKEN not in repr(findings) + capsys.readouterr().out


def test_a_missing_compiler_is_named_with_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/usr/bin/cc")
    assert not look_for_compiler().remedy
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt install gcc" in look_for_compiler().remedy
