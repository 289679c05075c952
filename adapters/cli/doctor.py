"""`gander doctor`: looks over the machine and says what is missing and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from adapters.cli.console import consoles
from adapters.cli.engine_commands import engine_command, engine_environment
from bot import __version__
from bot.config import data_home
from engine.api import MachineFacts

ENGINE_PORT = 8000
DISK_BYTES = 2e9  # the pocket model and room to convert it
MEMORY_BYTES = 2e9


@dataclass(frozen=True)
class Finding:
    """One line. `remedy` says what to do; `missing` means that Gander won't work without."""

    what: str
    found: str
    remedy: str = ""
    missing: bool = False


def examine() -> bool:
    """Print what is there, what is missing, and what to do. False if Gander can't work like this."""
    home = data_home(os.environ)
    findings = [*look_at_machine(home), *look_at_torch(home), *look_at_models(home), look_at_port()]
    table = Table(box=None, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        sign, style = ("✗", "red") if finding.missing else ("!", "yellow") if finding.remedy else ("✓", "green")
        table.add_row(Text(sign, style=style), finding.what, Text(f"{finding.found}{'. ' if finding.remedy else ''}{finding.remedy}"))
    consoles()[0].print(table)
    return not any(finding.missing for finding in findings)


def look_at_machine(home: Path) -> Iterator[Finding]:
    yield Finding("Gander", __version__)
    yield Finding("Python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("data folder", f"{home} (rm -r removes it)" if home.exists() else f"{home}, not made yet")
    existing = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    yield Finding(
        "disk", f"{free / 1e9:.0f} GB free", "Make room: the pocket model needs 2 GB." if free < DISK_BYTES else "", free < DISK_BYTES
    )
    if not os.access(existing, os.W_OK):
        yield Finding("data folder", f"{existing} is not yours to write", "Set GANDER_HOME to a folder that is.", missing=True)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("memory", f"{memory / 1e9:.0f} GB", "The pocket model wants 2 GB." if memory < MEMORY_BYTES else "")


def look_at_torch(home: Path) -> Iterator[Finding]:
    if find_spec("torch") is None:
        yield Finding("torch", "not installed", "make run fetches it; or set engine.url to an engine elsewhere.", missing=True)
        return
    child = subprocess.run(engine_command("facts"), env=engine_environment(home), capture_output=True, check=False)
    try:
        facts = MachineFacts.model_validate_json(child.stdout)
    except ValidationError:
        last = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        yield Finding("torch", f"does not start: {' '.join(last)}", "Install it again: make clean, then make demo.", missing=True)
        return
    yield Finding("torch", f"{facts.torch} for {facts.built_for}, {facts.threads} threads")
    yield look_at_gpu(facts)
    if facts.gpus:
        yield look_for_compiler()


def look_at_gpu(facts: MachineFacts) -> Finding:
    if facts.gpus:
        return Finding("GPU", f"{facts.gpus} × {facts.device}, {facts.gpu_memory_bytes / 1e9:.0f} GB")
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", "none; the pocket model answers on the CPU")
    if facts.built_for == "CPU":
        return Finding("GPU", "there is one that this torch can't use", "Install a CUDA build of torch: make clean, then make demo.")
    return Finding("GPU", "there is one that torch does not see", "Check the driver with nvidia-smi.")


def look_for_compiler() -> Finding:
    """As Triton looks for one, for the kernels of a GPU."""
    compiler = os.environ.get("CC") or shutil.which("clang") or shutil.which("gcc")
    if compiler:
        return Finding("C compiler", compiler)
    return Finding("C compiler", "none, so that a GPU answers several times slower", "apt install gcc python3-dev.")


def look_at_models(home: Path) -> Iterator[Finding]:
    names = [card.parent.name for card in sorted((home / "models").glob("*/gander.json"))]
    if names:
        yield Finding("models", ", ".join(names))
    else:
        yield Finding("models", "none yet", "gander model pull pocket fetches the small one.")


def look_at_port() -> Finding:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", ENGINE_PORT)) == 0
    what = f"port {ENGINE_PORT}"
    return Finding(what, "taken", "gander engine --port 0 takes any free one.") if taken else Finding(what, "free")
