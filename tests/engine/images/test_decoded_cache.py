"""A picture that is sent again is not decoded again, and what is kept for that stays within its bound."""

from __future__ import annotations

import pytest
from PIL import Image

from engine.errors import PictureError
from engine.images.decode import Limits
from engine.images.decoded_cache import PIXEL_BYTES, DecodedCache
from tests.engine.images.test_decode import encoded

LIMITS = Limits()
FIRST, SECOND, THIRD = (encoded(Image.new("RGB", (20, 10), colour)) for colour in ("red", "green", "blue"))


def test_the_same_bytes_are_decoded_once() -> None:
    cache = DecodedCache()
    picture = cache.read(FIRST, LIMITS)
    assert cache.read(bytes(FIRST), LIMITS) is picture
    assert cache.read(SECOND, LIMITS) is not picture


def test_what_was_not_sent_for_longest_goes_first() -> None:
    cache = DecodedCache(bound=2 * 20 * 10 * PIXEL_BYTES)
    kept = [cache.read(data, LIMITS) for data in (FIRST, SECOND, FIRST, THIRD)]
    assert list(cache.pictures.values()) == [kept[0], kept[3]]


def test_one_larger_than_all_room_is_read_and_not_kept() -> None:
    cache = DecodedCache(bound=5)
    assert cache.read(FIRST, LIMITS).image.size == (20, 10)
    assert not cache.pictures


def test_a_request_s_limit_holds_for_known_pictures_too() -> None:
    cache, limits = DecodedCache(), Limits(pixels=300)
    cache.read(FIRST, limits)
    with pytest.raises(PictureError, match="the limit is 300"):
        cache.read(FIRST, limits, taken=200)
