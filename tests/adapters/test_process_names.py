"""Names outlast a restart, differ between folders and terminals, and one folder serves platforms from one process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.process_names import note_page, one_of_the_terminals, only_bot, only_on_file, page_served
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


def test_where_the_page_is_stands_in_the_folder_while_it_is_served(tmp_path: Path) -> None:
    assert page_served(tmp_path) is None
    with only_bot(tmp_path):
        assert page_served(tmp_path) == ""
        note_page(tmp_path, "http://127.0.0.1:8484")
        assert page_served(tmp_path) == "http://127.0.0.1:8484"
        with pytest.raises(ConfigError, match=r"Its page is open at http://127\.0\.0\.1:8484\."), only_bot(tmp_path):
            pass
    assert page_served(tmp_path) is None
    with only_bot(tmp_path):
        assert page_served(tmp_path) == ""


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


def test_one_bot_serves_from_a_sqlite_file_whatever_its_data_folder(tmp_path: Path) -> None:
    shared = f"sqlite:///{tmp_path}/one/gander.db"
    with only_on_file("", tmp_path / "one"):
        for url, home in ((shared, tmp_path / "two"), ("", tmp_path / "one")):
            with pytest.raises(ConfigError, match="Several bots need PostgreSQL"), only_on_file(url, home):
                pass
        with only_on_file("", tmp_path / "two"), only_on_file("postgresql://x/y", tmp_path / "two"):
            pass
    with only_on_file(shared, tmp_path / "two"):
        pass
