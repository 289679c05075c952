"""A private PostgreSQL server for the tests: a fresh cluster in a temporary folder, reached by its socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The folder of the newest installed server; None without one, or as root without the user that it must run as."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = folders[-1] if folders else Path(shutil.which("postgres") or "/nowhere/postgres").resolve().parent
    if not (found / "initdb").exists() or (os.geteuid() == 0 and not _has_user("postgres")):
        return None
    return found


@contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """A running server; the folder of its socket. PostgreSQL refuses to run as root: then user postgres owns it."""
    with tempfile.TemporaryDirectory(prefix="gander-postgres-", ignore_cleanup_errors=True) as folder:
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        initialise = [
            str(programs / "initdb"),
            "--pgdata",
            data,
            "--auth",
            "trust",
            "--username",
            "postgres",
            "--no-sync",
            "--encoding",
            "UTF8",
        ]
        subprocess.run(initialise, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
        start(programs, folder)
        try:
            yield folder
        finally:
            stop(programs, folder)


def start(programs: Path, folder: str) -> None:
    """Start the server of a cluster, again after it was killed."""
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    _control(programs, folder, "start", "--options", options)


def stop(programs: Path, folder: str) -> None:
    _control(programs, folder, "stop", "--mode", "immediate")


def _control(programs: Path, folder: str, *command: str) -> None:
    user = "postgres" if os.geteuid() == 0 else None
    control = [str(programs / "pg_ctl"), "--pgdata", f"{folder}/data", "--wait", "--log", f"{folder}/log"]
    subprocess.run([*control, *command], check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)


def create_database(programs: Path, socket: str, name: str) -> str:
    """A new, empty database; its URL."""
    subprocess.run([programs / "createdb", "--host", socket, "--username", "postgres", name], check=True)
    return f"postgresql://postgres@/{name}?host={socket}"


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())
