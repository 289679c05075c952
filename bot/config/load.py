"""Finds and reads the operator's configuration: a TOML file, secrets from the environment or from files, and the data folder.

Whatever can't be used ends the start with one ConfigError that names the option and the remedy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from bot.config.schema import Config
from bot.errors import ConfigError

FILE_NAME: Final = "gander.toml"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must not stand in the configuration file. `section.name` is its field in Config."""

    section: str
    name: str
    variable: str  # `<variable>_FILE` names a file instead
    address: bool = False  # a URL, and secret only when it holds a password

    def exposed(self, written: object) -> bool:
        """Whether this value, written in the configuration file, reveals the secret."""
        return not self.address or bool(urlsplit(str(written)).password)

    @property
    def remedy(self) -> str:
        file = f"{self.variable}_FILE" if self.address else f"{self.section}.{self.name}_file"
        return f"put it in the environment variable {self.variable}, or in a file that {file} names. Treat this one as known."


SECRETS: Final = (
    Secret("engine", "key", "GANDER_ENGINE_KEY"),
    Secret("discord", "token", "GANDER_DISCORD_TOKEN"),
    Secret("telegram", "token", "GANDER_TELEGRAM_TOKEN"),
    Secret("web", "password", "GANDER_WEB_PASSWORD"),
    Secret("store", "url", "GANDER_STORE_URL", address=True),
    Secret("network", "proxy", "GANDER_PROXY", address=True),
)

HIDDEN: Final = frozenset((secret.section, secret.name) for secret in SECRETS if not secret.address)


def data_home(environ: Mapping[str, str]) -> Path:
    """GANDER_HOME, or `gander` in the user's own data folder."""
    if home := environ.get("GANDER_HOME"):
        return Path(home).expanduser()
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "gander"


def find_config(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one named, else GANDER_CONFIG, else the first found here or in the user's configuration."""
    if named is None and environ.get("GANDER_CONFIG"):
        named = Path(environ["GANDER_CONFIG"])
    if named is not None:
        return named
    base = environ.get("XDG_CONFIG_HOME")
    home = (Path(base) if base else Path.home() / ".config") / "gander"
    return next((path for path in (Path(FILE_NAME), home / FILE_NAME) if path.is_file()), None)


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the file (None = all defaults) and the secrets. Raises ConfigError."""
    table = _read(path) if path else {}
    source = str(path) if path else "the environment"
    for secret in SECRETS:
        _fill(table, secret, environ)
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: {line}" for line in _sentences(error))) from None


def check_ready_for_public(config: Config) -> None:
    """Before a public platform is joined: somebody must have said who may use the bot. Raises ConfigError with the ways to."""
    public = [name for name, token in (("Discord", config.discord.token), ("Telegram", config.telegram.token)) if token is not None]
    if public and not config.access.decided:
        raise ConfigError(
            f"Say who may use the bot on {' and '.join(public)} before strangers spend your GPU. In the configuration's [access]: "
            'allow_servers = ["discord:<id>"], allow_channels, allow_roles or allow_people = ["telegram:<id>"] lets those in; '
            "everyone = true lets in everybody."
        )


def secret_values(config: Config) -> list[str]:
    """Every secret in use, to be hidden in the log."""
    fields = (getattr(getattr(config, secret.section), secret.name) for secret in SECRETS)
    found = [
        field.get_secret_value() if isinstance(field, SecretStr) else unquote(urlsplit(field).password or "") for field in fields if field
    ]
    return [value for value in found if value]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist. deploy/gander.example.toml is one to copy.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}. Texts need quotes, and each option a line of its own.") from None


def _fill(table: dict[str, Any], secret: Secret, environ: Mapping[str, str]) -> None:
    section = table.setdefault(secret.section, {})
    if not isinstance(section, dict):
        return  # validation reports what is wrong with it
    if secret.name in section and secret.exposed(section[secret.name]):
        raise ConfigError(f"{secret.section}.{secret.name} is a secret and does not belong in the configuration: {secret.remedy}")
    if value := _find_secret(secret, section, environ):
        section[secret.name] = value


def _find_secret(secret: Secret, section: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    if value := environ.get(secret.variable, "").strip():
        return value
    variable, option = f"{secret.variable}_FILE", f"{secret.name}_file"
    for source, named in ((variable, environ.get(variable)), (f"{secret.section}.{option}", section.get(option))):
        if named:
            return _read_secret(source, Path(str(named)))
    return None


def _read_secret(source: str, path: Path) -> str:
    try:
        value = path.expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source} names {path}, which can't be read: {error}.") from None
    if not value:
        raise ConfigError(f"{source} names {path}, which is empty: write the secret into it.")
    return value


def _sentences(error: ValidationError) -> Iterable[str]:
    for fault in error.errors():
        where = [str(part) for part in fault["loc"] if part != "[key]"]
        if fault["type"] == "extra_forbidden":
            yield _unknown(where)
        else:
            yield f"{'.'.join(where)}: {fault['msg'].removeprefix('Value error, ').rstrip('.')}."


def _unknown(where: Sequence[str]) -> str:
    known = [name for name in _options(where[:-1]) if (*where[:-1], name) not in HIDDEN]
    near = get_close_matches(where[-1], known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    return f"{'.'.join(where)} is no option. {hint}"


def _options(section: Sequence[str]) -> Iterable[str]:
    """The option names that a table of the file may have."""
    model: type[BaseModel] = Config
    for name in section:
        field = model.model_fields.get(name)
        kinds = (field.annotation, *getattr(field.annotation, "__args__", ())) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return model.model_fields
