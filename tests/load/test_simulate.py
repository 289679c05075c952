"""The fair queue in virtual time waits as the formula of docs/scaling.md says."""

from __future__ import annotations

import pytest

from tests.load.simulate import System, expected_wait, must_wait, simulate


@pytest.mark.parametrize(("rows", "load", "known"), [(1, 0.5, 0.5), (2, 0.5, 1 / 3), (10, 0.8, 0.4092)])
def test_erlangs_formula_gives_the_values_of_its_tables(rows: int, load: float, known: float) -> None:
    assert must_wait(rows, load) == pytest.approx(known, rel=1e-3)


def test_the_fair_queue_waits_as_the_formula_says() -> None:
    """It changes who waits, and not how long all wait together: that is, to the last digit, as long as first come, first served; and
    this, which takes a tenth of the time to play, waits as Erlang's formula says.
    """
    system = System(channels=40, rows=8, seconds=3.0, load=0.75)
    fair, plain = (simulate(system, 1_500, seed=1, fair=fair) for fair in (True, False))
    assert fair.mean == pytest.approx(plain.mean, rel=1e-9)
    assert fair.percentiles != plain.percentiles
    long = simulate(system, 40_000, seed=1, fair=False)
    assert long.mean == pytest.approx(expected_wait(system), rel=0.15)
    assert long.waited == pytest.approx(must_wait(system.rows, system.load), abs=0.04)
