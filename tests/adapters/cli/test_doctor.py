"""`gander doctor`: what it finds on this machine and beyond it, and what it says to do."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.__main__ import app
from adapters.cli.doctor import look_at_machine, look_at_port, look_at_torch, look_for_compiler
from adapters.cli.doctor_findings import Finding
from adapters.cli.doctor_network import look_elsewhere
from bot.config.schema import Config
from tests.adapters.strict.telegram.server import TOKEN as TELEGRAM_TOKEN

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


def test_a_configuration_that_can_not_be_used_is_a_finding_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gander.toml").write_text("[engine]\nmodle = 'x'\n")
    monkeypatch.chdir(tmp_path)
    environment = {"GANDER_HOME": str(tmp_path), "HOME": str(tmp_path), "COLUMNS": "200"}
    looked = CliRunner(env=environment).invoke(app, ["doctor"], catch_exceptions=False)
    assert looked.exit_code == 1
    assert "engine.modle is no option" in looked.stdout


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


def telegram(url: str, token: str) -> Config:
    return Config.model_validate({"telegram": {"token": token, "server": url}, "web": {"enabled": False}, "access": ANYBODY})


async def test_it_says_that_nobody_was_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"telegram": {"token": TELEGRAM_TOKEN, "server": "http://127.0.0.1:9"}})
    assert "[access]" in of(await look_elsewhere(config), "access").found


async def test_no_token_is_ever_shown(capsys: pytest.CaptureFixture[str]) -> None:
    findings = await look_elsewhere(telegram("http://127.0.0.1:9", TELEGRAM_TOKEN))
    assert TELEGRAM_TOKEN not in repr(findings) + capsys.readouterr().out


def test_a_missing_compiler_is_named_with_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/usr/bin/cc")
    assert not look_for_compiler().remedy
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt install gcc" in look_for_compiler().remedy
