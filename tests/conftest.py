"""What tests of every room share: the ready pocket model, real weights pulled once and kept between runs."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from filelock import FileLock

from engine.kernels.jit_cache import sources_version
from tests.bot import postgres
from tests.bot.postgres import Server

gc.disable()  # until everything is imported: it would look through half a million objects that stay, again and again
WAITING = ("tests/load/", "tests/chaos/", "tests/end_to_end/test_crashes.py")  # for long: first, or the others end long before them
GPUS = ("/dev/nvidiactl", "/dev/dxg")  # the second is WSL's


def has_gpu() -> bool:
    """torch is asked only where there may be one, for importing it takes a second."""
    if not any(Path(path).exists() for path in GPUS):
        return False
    import torch

    return torch.cuda.is_available()


if not has_gpu():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports Triton: our GPU kernels are tested without a GPU
CACHE = Path(__file__).parent.parent / ".test_cache"
os.environ.setdefault("NUMBA_CACHE_DIR", str(CACHE / "kernels" / sources_version()))  # or each test with a data folder of its own compiles
# The same examples each time, on however busy a machine: the suite fails for a change, never by chance. `make sweep` looks further.
PROFILE = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("sweep", PROFILE, max_examples=1_000)
hypothesis.settings.register_profile("suite", PROFILE, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("suite")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background, and our children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    kinds = ["sqlite", "postgresql"]
    parser.addoption("--database", choices=kinds, default=kinds[0], help="what the bots of the tests keep their data in (sqlite)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))
    if config.getoption("--database") == "postgresql":
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip("it is about SQLite's own file"))


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()  # what was imported stays: a collection that visits it takes a fifth of a second
    gc.set_threshold(50_000, 20, 50)  # a tenth of what whole bots take of a processor went to looking for cycles


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What draws without a seed of its own draws the same each time, also in fixtures that several tests share."""
    random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command that a test runs sets up logging for the whole process, and may write to a stream that ends with the test."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.reset_defaults()


def elsewhere(server: Server, open_it: Callable[[str], Any]) -> Callable[[str], Any]:
    """Opens a database of this server in the place of a SQLite file."""

    def opened(url: str) -> Any:
        return open_it(server.in_place_of(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite:///") else url)

    return opened


@pytest.fixture(scope="session", autouse=True)
def _migrated_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """With `--database postgresql`, a database of the server stands in the place of every SQLite file that the tests' process opens."""
    from bot.store import database
    from tests.bot.schema import Schema

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "upgrade", Schema().upgrade)
        if request.config.getoption("--database") == "postgresql":
            server: Server = request.getfixturevalue("postgres_server")
            patch.setattr(database, "connect", elsewhere(server, database.connect))
            patch.setattr("tests.bot.postgres.INSTEAD", server)
        yield


@pytest.fixture(autouse=True)
def _databases_dropped(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if postgres.INSTEAD is not None and (folder := request.node.funcargs.get("tmp_path")):
        postgres.INSTEAD.drop_below(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server of the tests' own, one for each worker."""
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("NOT TESTED: PostgreSQL. Install the server (Debian: apt-get install postgresql) to test the store on it.")
    with postgres.cluster(programs) as socket:
        yield Server(programs, socket)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """A database with today's tables."""
    url = postgres_server.copy()
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def pocket_home() -> Path:
    """A data folder in which the pocket model is ready: GANDER_HOME if it is set, else one kept in the checkout."""
    from engine.hub.pocket import pull

    home = Path(os.environ.get("GANDER_HOME") or CACHE)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "tests.lock"):  # pytest-xdist's workers share it
        pull(home)
    return home


@pytest.fixture(scope="session")
def pocket_folder(pocket_home: Path) -> Path:
    return pocket_home / "models" / "pocket"
