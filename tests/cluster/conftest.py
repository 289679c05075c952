"""A Ray of its own on this machine, with two pocket engines on the CPU. One for all tests here: it takes half a minute to start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

ENVIRONMENT = Path(os.environ.get("GANDER_CLUSTER", "build/cluster")).resolve()
PYTHON = ENVIRONMENT / "venv" / "bin" / "python"
START_SECONDS = 600.0
ROWS = 4  # of each replica


@dataclass
class Cluster:
    """A running `gander cluster`."""

    url: str
    process: subprocess.Popen[bytes]
    logs: Path

    def engines(self) -> list[psutil.Process]:
        """The processes of its replicas."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in below if " ".join(named(child)).startswith("ray::ServeReplica:gander:Engine")]

    def calls(self, method: str) -> list[int]:
        """How often each replica that ever ran was called so, by Ray's own logs."""
        return [text.read_text().count(f"CALL {method} ") for text in sorted(self.logs.rglob("replica_gander_Engine_*.log"))]

    def lost(self) -> list[str]:
        """What the entrance logged of replicas that were gone in the middle of an answer."""
        return [line for text in self.logs.rglob("worker-*") for line in text.read_text().splitlines() if "replica lost" in line]


def named(process: psutil.Process) -> Sequence[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it has just ended
        return ()


def wait_until(holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.2)


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[Cluster]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        environment = {**os.environ, "GANDER_HOME": str(home), "RAY_TMPDIR": folder, "OMP_NUM_THREADS": "1"}
        command = [
            str(PYTHON),
            "-m",
            "engine",
            "cluster",
            "--gpus",
            "0",
            "--cpus",
            "0.5",
            "--rows",
            str(ROWS),
            "--dtype",
            "float32",
            "--port",
            str(port),
            *arguments,
        ]
        said = Path(folder) / "said.txt"
        with (
            said.open("wb") as file,
            subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True) as process,
        ):
            try:
                wait_until(lambda: "listens on" in said.read_text() or process.poll() is not None)
                assert process.poll() is None, said.read_text()[-3000:]
                yield Cluster(f"http://127.0.0.1:{port}", process, Path(folder))
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(120)
                finally:
                    os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None


@pytest.fixture(scope="session")
def cluster(pocket_home: Path) -> Iterator[Cluster]:
    """Begins with one replica, and may grow to two."""
    if not PYTHON.exists():
        pytest.skip("Ray is not installed: `make cluster` does that")
    with running(pocket_home, "--replicas", "1", "--most-replicas", "2") as started:
        yield started
