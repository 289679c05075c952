"""Thirty messages a second over all chats, and no waiting for those who say little."""

from __future__ import annotations

import pytest

from adapters.telegram.rate_limit import AT_ONCE, MESSAGES_A_SECOND, RateLimit


def test_a_rush_is_spread_out_and_a_rest_is_forgotten() -> None:
    now = 100.0
    pace = RateLimit(lambda: now)
    rush = [pace.take() for _ in range(100)]
    assert rush[:AT_ONCE] == pytest.approx([0.0] * AT_ONCE, abs=1e-6)
    assert rush[AT_ONCE:] == pytest.approx([number / MESSAGES_A_SECOND for number in range(1, 101 - AT_ONCE)])
    now = 200.0
    assert [pace.take() for _ in range(3)] == pytest.approx([0.0] * 3, abs=1e-6)
    assert pace.take() <= 1 / MESSAGES_A_SECOND
