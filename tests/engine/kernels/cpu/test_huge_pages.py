"""Memory in large pages."""

from __future__ import annotations

import numpy as np

from engine.kernels.cpu.huge_pages import PAGE, empty, moved


def test_large_arrays_begin_with_a_page_and_keep_what_is_written() -> None:
    array = empty((3, PAGE // 4 + 5), np.float32)
    assert array.ctypes.data % PAGE == 0
    assert array.flags.c_contiguous
    assert array.flags.writeable
    array[:] = 2.5
    np.testing.assert_array_equal(moved(array), array)
    assert empty((2, 3), np.uint8).shape == (2, 3)
