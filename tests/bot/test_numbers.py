"""Numbers as people type them: what is accepted is printed back the same, and what could be two is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.numbers import print_number, read_number, read_whole

# Words around digits, signs, mentions broken and whole, and digits of other alphabets.
LETTERS = st.sampled_from("0123456789" * 3 + "-+.,/<>@!&# ab²٣０．：\u202e")


TYPED = st.text(LETTERS, max_size=24) | st.text(max_size=24) | st.integers().map(str) | st.floats().map(str)


@given(TYPED)
@example("1,000")
@example("1.000.000")
@example("1e3")
@example("nan")
@example("3²")
def test_a_number_is_printed_back_the_same(typed: str) -> None:
    number = read_number(typed)
    if number is not None:
        assert read_number(print_number(number)) == number
        plain = typed.strip().translate(str.maketrans("０１２３４５６７８９．，－＋", "0123456789.,-+")).replace(",", ".")
        assert float(plain) == number
        digits = re.sub(r"\D", "", plain).strip("0")
        assert digits == re.sub(r"\D", "", print_number(number)).strip("0")
    whole = read_whole(typed)
    if whole is not None:
        assert read_whole(print_number(whole)) == whole
        assert number == whole


@pytest.mark.parametrize("typed", ["1,000", "12,345,678", "1e3", "nan", "inf", "-inf", "1_000", "0x10", "3²", "", ".", "9" * 400])
def test_what_could_be_two_numbers_or_none_is_refused(typed: str) -> None:
    assert read_number(typed) is None
    assert read_whole(typed) is None


@pytest.mark.parametrize(
    ("typed", "number"), [("0,7", 0.7), ("0.7", 0.7), (" .5 ", 0.5), ("０．７", 0.7), ("-3", -3.0), ("+2", 2.0), ("5.", 5.0)]
)
def test_a_number_is_read_as_it_is_written_in_many_countries(typed: str, number: float) -> None:
    assert read_number(typed) == number


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9).map(lambda number: round(number, 5)))
def test_every_number_that_is_shown_can_be_typed(number: float) -> None:
    assert read_number(print_number(number)) == number
