"""The platforms that `gander run` can serve. A new one is a module with `check` and `run`, and a line in each of the two tables here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, Protocol, cast

from adapters.services import Services
from bot.config.schema import Config
from bot.errors import ConfigError

# Its name, where it is, and what pip installs for it. Imported only when it is wanted: an SDK costs time and memory.
MODULES = {
    "web": "adapters.web.adapter",
    "discord": "adapters.discord.adapter",
    "telegram": "adapters.telegram.adapter",
}


class Adapter(Protocol):
    """What an adapter's module offers."""

    def check(self, config: Config) -> None:
        """Raises ConfigError before anything is started."""
        ...

    def account(self, config: Config) -> Coroutine[Any, Any, str]:
        """Who the bot is there, for `gander doctor`. Raises ConfigError for a wrong token, DeliveryError where nothing answers."""
        ...

    def run(self, services: Services, opened: Callable[[str], None]) -> Coroutine[Any, Any, None]:
        """Serve until cancelled: attach, hand over events, detach. `opened` is told an address that a person can visit."""
        ...


def configured(config: Config) -> list[str]:
    """The platforms that the configuration asks for: those with a token, and the page."""
    asked = {"web": config.web.enabled, "discord": config.discord.token is not None, "telegram": config.telegram.token is not None}
    return [name for name in MODULES if asked[name]]


def load(name: str) -> Adapter:
    try:
        return cast(Adapter, import_module(MODULES[name]))
    except ModuleNotFoundError as error:
        raise ConfigError(f"{name} needs {error.name}, which is not installed: pip install '.[{name}]' in Gander's folder") from error
