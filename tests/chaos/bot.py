"""`gander run` for crash tests, with the strict Discord in Discord's place and a clock that can be set while it runs.

The file that GANDER_TESTS_CLOCK names holds the seconds that its clock is ahead of the machine's.
"""

from __future__ import annotations

import os
import time

CLOCK = "GANDER_TESTS_CLOCK"


def set_clock() -> None:
    """To be called before the bot's modules take `time` from the library."""
    machine, file = time.time, os.open(os.environ[CLOCK], os.O_RDONLY)
    time.time = lambda: machine() + float(os.pread(file, 32, 0) or 0)


if __name__ == "__main__":
    set_clock()
    from adapters.__main__ import main
    from tests.adapters.strict.discord.redirected import ADDRESS, redirect

    redirect(os.environ[ADDRESS])
    main()
