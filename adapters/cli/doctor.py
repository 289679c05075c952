"""`gander doctor`: looks over the machine and what it must reach, and says what is missing and what to do about it."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from adapters.cli.data_folder import nearest, unwritable
from adapters.cli.doctor_findings import Finding
from adapters.cli.doctor_network import look_elsewhere
from adapters.cli.engine_commands import engine_command, engine_environment
from adapters.terminal.console import consoles
from bot import __version__
from bot.config.load import data_home, find_config, load_config
from bot.config.schema import Config
from bot.errors import ConfigError
from bot.media.decoder_pool import REMEDY as DECODER_REMEDY
from bot.reading.reader import REMEDY as READER_REMEDY
from bot.reading.reader import can_read
from engine.api import MachineFacts

ENGINE_PORT = 8000
DISK_BYTES = 2e9  # the pocket model and room to convert it
MEMORY_BYTES = 2e9


def examine(file: Path | None) -> bool:
    """Print what is there, what is missing, and what to do. False if Gander can't work like this. `file`: the configuration."""
    out, _ = consoles()
    table = Table(box=None, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    works = True
    with out.status("Looking …"):
        for finding in look(file):
            sign, style = ("✗", "red") if finding.missing else ("!", "yellow") if finding.remedy else ("✓", "green")
            said = f"{finding.found}{'. ' if finding.remedy else ''}{finding.remedy}"
            table.add_row(Text(sign, style=style), finding.what, Text(said))
            works = works and not finding.missing
    out.print(table)
    return works


def look(file: Path | None) -> Iterator[Finding]:
    home = data_home(os.environ)
    yield from look_at_machine(home)
    try:
        found = find_config(file, os.environ)
        config = load_config(found, os.environ)
    except ConfigError as error:
        yield Finding("configuration", str(error), missing=True)
        config = Config()
    else:
        yield Finding("configuration", str(found) if found else "none: everything has its default")
    yield from look_at_torch(home, needed=not config.engine.remote)
    yield from look_at_models(home)
    yield look_at_decoders()
    yield look_at_reader()
    yield from look_at_ports(config)
    yield from asyncio.run(look_elsewhere(config))


def look_at_machine(home: Path) -> Iterator[Finding]:
    yield Finding("Gander", __version__)
    yield Finding("Python", f"{platform.python_version()} ({sys.executable})")
    existing = nearest(home)
    if fault := unwritable(home):
        remedy = "Make it writable, or set GANDER_HOME to a folder that is."
        yield Finding("data folder", f"{fault.filename} can't be written: {fault.strerror}", remedy, missing=True)
    else:
        yield Finding("data folder", f"{home} (rm -r removes it)" if existing == home.absolute() else f"{home}, not made yet")
    free = shutil.disk_usage(existing).free
    yield Finding(
        "disk", f"{free / 1e9:.0f} GB free", "Make room: the pocket model needs 2 GB." if free < DISK_BYTES else "", free < DISK_BYTES
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("memory", f"{memory / 1e9:.0f} GB", "The pocket model wants 2 GB." if memory < MEMORY_BYTES else "")


def look_at_torch(home: Path, *, needed: bool) -> Iterator[Finding]:
    if find_spec("torch") is None:
        remedy = "make run fetches it; or set engine.url to an engine elsewhere." if needed else ""
        yield Finding("torch", "not installed", remedy, missing=needed)
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


def look_at_decoders() -> Finding:
    if find_spec("pi_heif") is None:
        return Finding("HEIC", "pictures of iPhones can't be read", f"{DECODER_REMEDY}.")
    return Finding("HEIC", "pictures of iPhones can be read")


def look_at_reader() -> Finding:
    if not can_read():
        return Finding("writing", "writing in pictures is not read", f"{READER_REMEDY}.")
    return Finding("writing", "writing in pictures is read and told to the model")


def look_at_ports(config: Config) -> Iterator[Finding]:
    if config.web.enabled:
        yield look_at_port(
            "page's port", config.web.host, config.web.port, "Another Gander may run already; else the page takes the next one."
        )
    yield look_at_port("engine's port", "127.0.0.1", ENGINE_PORT, "gander engine --port 0 takes any free one; gander run needs none.")


def look_at_port(what: str, host: str, port: int, remedy: str) -> Finding:
    """By binding it, as whoever wants it would."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what just closed is free
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(what, f"{port} can't be had: {error.strerror}", remedy)
    return Finding(what, f"{port} is free")
