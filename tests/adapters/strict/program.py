"""`gander run` as a process of its own, which can be killed at any moment and started again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.bot import postgres

OWED = "SELECT (SELECT count(*) FROM job WHERE state != 'done') + (SELECT count(*) FROM event WHERE reply IS NOT NULL)"
PROGRAM = ("-m", "adapters")
ROOT = Path(__file__).parents[3]


@dataclass(kw_only=True)
class Program:
    """Runs inside its block. `home` holds its gander.toml; `environ` its tokens."""

    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = PROGRAM
    log: Path | None = None  # takes what it logs; None: the tests' own standard error

    async def __aenter__(self) -> Self:
        arguments = (sys.executable, "-P", *self.program, "run", "--config", str(self.home / "gander.toml"))
        stored = {"GANDER_STORE_URL": postgres.INSTEAD.in_place_of(self.home / "gander.db")} if postgres.INSTEAD else {}
        environ = {**os.environ, "GANDER_HOME": str(self.home), "PYTHONPATH": str(ROOT), **stored, **self.environ}
        self._killed = False
        with ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab")) if self.log else None
            self._process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.DEVNULL, stderr=log, env=environ)
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.returncode is None and not self._killed

    @property
    def ended_by_itself(self) -> bool:
        return self._process.returncode is not None and not self._killed

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """At once: no handler runs, nothing is flushed."""
        self._killed = True
        if self._process.returncode is None:
            self._process.kill()

    async def ended(self, seconds: float = 60) -> None:
        """Raises TimeoutError when it lives longer."""
        async with asyncio.timeout(seconds):
            await self._process.wait()

    async def restart(self) -> None:
        """When it is dead."""
        await self.ended()
        await self.__aenter__()

    def owes_nothing(self) -> bool:
        """Whether all is said and recorded: until then, what a kill left in doubt may stand there twice."""
        return postgres.column(self.home / "gander.db", OWED) == ["0"]

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not seen():
                if self.ended_by_itself:
                    raise RuntimeError(f"the program ended by itself, with status {self._process.returncode}")
                await asyncio.sleep(0.02)
