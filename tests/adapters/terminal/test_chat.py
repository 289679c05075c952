"""`gander chat` as a person meets it: a real process on a real terminal, or in a pipe."""

from __future__ import annotations

import os

import pytest

from adapters.terminal.chat import user_name


def test_whoever_has_no_name_goes_by_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    assert user_name() == "54321"
