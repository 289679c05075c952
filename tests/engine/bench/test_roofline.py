"""The roofline counts every matrix once, and what each row keeps."""

from __future__ import annotations

import time

import pytest

from engine.bench.contender import UnableError
from engine.bench.roofline import Roofline, step_bytes
from engine.bench.scenarios import rate
from tests.engine.tiny import CONFIG, tiny_language


def test_a_difference_that_noise_hides_is_no_figure() -> None:
    with pytest.raises(UnableError, match="--tokens"):
        rate(lambda tokens: time.sleep(0.05 / tokens), 8)


def test_the_roofline_counts_every_matrix_once_and_each_row_s_cache() -> None:
    language = tiny_language()
    table_of_embeddings = CONFIG.vocab_size * CONFIG.hidden_size
    assert step_bytes(language) == 4 * (sum(parameter.numel() for parameter in language.parameters()) - table_of_embeddings)
    assert Roofline(bandwidth=1000, weights=80, token=2).steps_per_second(rows=4, kept=15) == 5
