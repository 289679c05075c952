"""What a process frees goes back to the system: large blocks at once, the rest when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
from pathlib import Path
from engine.device.heap import LARGE, return_freed, return_large_blocks

def left(size, count, give_back):
    "Bytes that stay taken when `count` blocks are freed of which every eighth is kept."
    def held():
        return next(int(line.split()[1]) << 10 for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)
    before, blocks = held(), [bytearray(b"x") * size for _ in range(count)]
    assert held() - before > 0.9 * size * count
    kept = blocks[7::8]
    del blocks
    give_back()
    return held() - before - sum(map(len, kept))

ctypes.CDLL(None).mallopt(-3, 32 << 20)  # where glibc's own bound moves to once a block of that size was freed
print(left(LARGE, 16, lambda: None) // LARGE, left(LARGE // 64, 1024, lambda: None) // LARGE)
return_freed()
return_large_blocks()
print(left(LARGE, 16, lambda: None) // LARGE, left(LARGE // 64, 1024, return_freed) // LARGE)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_freed_memory_goes_back_to_the_system() -> None:
    output = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=100).stdout
    without, asked = ([int(number) for number in line.split()] for line in output.splitlines())
    assert min(without) > 5, "else there is nothing to mend"
    assert max(asked) <= 1
