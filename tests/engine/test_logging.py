"""What the engine logs of its own death: the error and where it was, and nothing of what people wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from engine.errors import NotReadyError
from engine.logging import configure
from tests.engine.core.test_worker import answer, at_work, question
from tests.engine.tiny_letters import Letters


@pytest.fixture
def _own_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.usefixtures("_own_log")
async def test_a_dead_workers_log_holds_no_message(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    configure(as_json=as_json)
    async with at_work(Letters().load) as worker:
        with pytest.raises(NotReadyError):
            await answer(worker, question("poison for Rumpelstiltskin"))
    written = capsys.readouterr().err
    assert "index out of range" in written
    assert "tiny_letters.py" in written  # where it happened
    assert "Rumpel" not in written
