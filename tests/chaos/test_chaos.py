"""A short round of crash tests on each database: `python -m tests.chaos` plays longer ones.

On SQLite kills are also what tests/end_to_end/test_crashes.py and the platforms' test_kills.py are about, so `make test` leaves that
round to the sweep.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bot import postgres
from tests.chaos.databases import Postgres, Sqlite
from tests.chaos.misfortunes import BRIEF
from tests.chaos.rounds import disorder, play


def test_order_is_told_from_disorder() -> None:
    assert disorder([3, 5, 8], {3: 1, 5: 2, 8: 3}, fresh=False) == 0
    assert disorder([3, 5, 8], {3: 1, 5: 3, 8: 2}, fresh=True) == 2
    assert disorder([3, 5, 8], {3: 1, 5: 1, 8: 2}, fresh=False) == 1
    assert disorder([3, 5, 8], {3: 1, 5: 1, 8: 2}, fresh=True) == 0


@pytest.mark.sweep
async def test_a_short_round_loses_doubles_and_disorders_nothing_on_sqlite(tmp_path: Path) -> None:
    found = await play(tmp_path, Sqlite(tmp_path), 20261130, 12, BRIEF)
    assert found.good, (found.lines(), (tmp_path / "bot.log").read_text()[-5_000:])
    assert found.kills
    assert found.troubles


async def test_a_short_round_loses_doubles_and_disorders_nothing_on_postgresql(tmp_path: Path) -> None:
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL here")
    with postgres.cluster(programs) as folder:
        found = await play(tmp_path, Postgres(programs, folder, "chaos"), 20261131, 12, BRIEF)
    assert found.good, (found.lines(), (tmp_path / "bot.log").read_text()[-5_000:])
    assert found.kills
