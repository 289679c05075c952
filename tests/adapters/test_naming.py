"""Names outlast a restart, differ between folders and terminals, and one folder serves platforms from one process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.naming import one_of_the_terminals, only_bot
from bot.errors import ConfigError


def test_a_folder_serves_from_one_process_at_a_time_under_one_name(tmp_path: Path) -> None:
    with (
        only_bot(tmp_path) as name,
        pytest.raises(ConfigError, match=re.escape(f"Another Gander serves from {tmp_path}")),
        only_bot(tmp_path),
    ):
        pass
    with only_bot(tmp_path) as again, only_bot(tmp_path / "elsewhere") as other:
        assert again == name != other


def test_terminals_take_the_first_free_name_beside_the_bot(tmp_path: Path) -> None:
    with only_bot(tmp_path) as bot, one_of_the_terminals(tmp_path) as first, one_of_the_terminals(tmp_path) as second:
        assert (first, second) == (f"{bot}-terminal-1", f"{bot}-terminal-2")
    with one_of_the_terminals(tmp_path) as later:
        assert later == first


def test_a_data_folder_that_nobody_may_write_to_is_named_with_the_remedy() -> None:
    with (
        pytest.raises(ConfigError, match=r"/dev/null/gander/bot\.lock can't be written: .+GANDER_HOME"),
        only_bot(Path("/dev/null/gander")),
    ):
        pass
