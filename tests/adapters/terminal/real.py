"""A real terminal for tests: a process on a pseudo-terminal, what it shows, and keys."""

from __future__ import annotations

import asyncio
import codecs
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


def environment(home: Path) -> dict[str, str]:
    return os.environ | {
        "GANDER_HOME": str(home),
        "LANG": "en_GB.UTF-8",
        "LC_ALL": "",
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "LINES": "30",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "adapters", *arguments]


class Terminal:
    """A process on a terminal of its own: what it shows, and keys."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end inside a letter

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, as the terminal sends it to whoever is in front."""
        os.write(self._master, b"\x03")

    async def sees(self, text: str) -> None:
        """Read until `text` was shown, and forget what came before."""
        while text not in self.shown:
            self.shown += self._decoder.decode(await asyncio.to_thread(os.read, self._master, 65536))
        self.shown = self.shown.partition(text)[2]


@asynccontextmanager
async def terminal(home: Path, *arguments: str) -> AsyncIterator[Terminal]:
    master, slave = pty.openpty()
    process = subprocess.Popen(  # noqa: ASYNC220 - a pseudo-terminal needs the blocking one
        command(*arguments),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(home),
        cwd=home,
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def own_terminal() -> None:
    """Makes standard input the child's controlling terminal, so that Ctrl-C reaches it."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
