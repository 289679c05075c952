"""The pictures of a request share its limits."""

from __future__ import annotations

import pytest

from engine.errors import (
    PictureError,
)
from engine.images.decode import Limits
from tests.engine.server.bodies import PICTURE, asked, body


def test_pictures_share_the_limit_of_pixels() -> None:
    assert asked(body([PICTURE] * 2), Limits(pixels=2))
    with pytest.raises(PictureError, match="has 1 × 1 pixels, and those before it 2; the limit is 2 in all") as caught:
        asked(body([PICTURE] * 3), Limits(pixels=2))
    assert caught.value.param == "messages[0].content[2].image_url.url"
