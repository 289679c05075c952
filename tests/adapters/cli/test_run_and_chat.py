"""What the command line says of the engine instead of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.cli.run_and_chat import with_engine
from adapters.errors import UsageError
from bot.config.schema import Config, EngineOptions


def test_the_bot_answers_with_the_first_of_the_adapters() -> None:
    config = Config(engine=EngineOptions(adapters={"old": Path("/old")}))
    engine = with_engine(config, "tiny", None, ("new=/data/new", "old")).engine
    assert (engine.model, engine.adapter) == ("tiny", "new")
    assert engine.adapters == {"old": Path("/old"), "new": Path("/data/new")}
    assert with_engine(config, None, None).engine == config.engine


def test_an_adapter_without_a_folder_is_one_of_an_engine_elsewhere() -> None:
    assert with_engine(Config(), None, "http://a", ("theirs",)).engine.adapter == "theirs"
    with pytest.raises(UsageError, match="Where is the adapter theirs"):
        with_engine(Config(), None, None, ("theirs",))
