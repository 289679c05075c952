"""Every option of the operator's configuration, with its default: what `deploy/gander.example.toml` shows, section by section.

Sizes, times and counts carry their unit in their name. Secrets are no options: they come from the environment or from
a file (bot/config/load.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bot.answer_settings import SETTINGS, SettingKind, find_setting
from bot.errors import Refusal
from bot.media.decoder_pool import MIB, DecodingLimits
from bot.media.films import MOST_FRAMES, FilmSampling
from bot.media.intake import FileLimits
from bot.message import Value
from bot.reading.reader import ReadingLimits
from bot.texts import ENGLISH, load_texts

Fraction = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class ConfigSection(BaseModel):
    """A table of the file: immutable; an unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def setting_value(name: str, value: Value) -> Value:
    """Parse a setting's value as the operator wrote it. Raises ValueError with the setting's own message."""
    try:
        return find_setting(name).parse(value)
    except Refusal as refusal:
        raise ValueError(load_texts().render(ENGLISH, refusal.key, **refusal.values)) from None


def check_defaults(values: Mapping[str, Value]) -> Mapping[str, Value]:
    return {name: setting_value(name, value) for name, value in values.items()}


def check_caps(values: Mapping[str, Value]) -> Mapping[str, float]:
    for name in values:
        if name in SETTINGS and SETTINGS[name].kind not in {SettingKind.NUMBER, SettingKind.WHOLE}:
            raise ValueError(f"{name} is no number: it can't be capped")
    return {name: float(setting_value(name, value)) for name, value in values.items()}


def check_key(key: str) -> str:
    """Check a key of a person, role, channel or server: it begins with its platform. Raises ValueError."""
    platform, _, name = key.partition(":")
    if not (platform and name):
        raise ValueError(f"{key!r} lacks its platform: write discord:{key} or telegram:{key}")
    return key


Key = Annotated[str, AfterValidator(check_key)]
Caps = Annotated[Mapping[str, float], AfterValidator(check_caps)]


class EngineOptions(ConfigSection):
    """Where answers come from: engines that run elsewhere, or one that Gander starts itself."""

    url: str = ""  # one engine that runs elsewhere
    urls: tuple[str, ...] = ()  # several
    key_file: Path | None = None  # or GANDER_ENGINE_KEY
    key: SecretStr | None = None
    model: str = "pocket"  # a ready model folder's name, or the model to ask a server for
    quantize: Literal["auto", "none", "int8", "4bit"] = "auto"  # auto = the most exact one that fits
    detail: Literal["auto", "low", "normal", "high"] = "auto"  # of pictures, where a model leaves the choice
    adapters: Mapping[str, Path] = Field(default_factory=dict)  # LoRA adapters' folders by name, several in one engine
    adapter: str = ""  # which of them the bot asks with, here or of an engine elsewhere; empty = the model alone
    devices: tuple[str, ...] = ()  # GPUs' numbers or torch's names; empty = the first GPU, else the CPU
    rows: int = Field(default=0, ge=0)  # answers written at once; 0 = 64 on a GPU, 10 on a CPU
    memory: float = Field(default=0, ge=0)  # gigabytes of each GPU that an engine takes at most; 0 = what is free

    @property
    def remote(self) -> tuple[str, ...]:
        """The engines that run elsewhere; empty = start one."""
        return tuple(dict.fromkeys((*((self.url,) if self.url else ()), *self.urls)))

    @property
    def wanted(self) -> str:
        """The model to ask a server for; empty where the operator names none."""
        return self.model if "model" in self.model_fields_set else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What an engine of our own is started with, besides its model."""
        bounds = {"--rows": self.rows, "--memory": self.memory}
        return (
            f"--quantize={self.quantize}",
            *((f"--detail={self.detail}",) if self.detail != "auto" else ()),
            *(f"--device={device}" for device in self.devices),
            *(f"{name}={bound:g}" for name, bound in bounds.items() if bound),
        )

    @property
    def adapter_arguments(self) -> tuple[str, ...]:
        """Those that name the engine's adapters."""
        return tuple(f"--adapter={name}={folder}" for name, folder in self.adapters.items())

    @model_validator(mode="after")
    def _check_adapter(self) -> EngineOptions:
        if self.adapter and not self.remote and self.adapter not in self.adapters:
            raise ValueError(f"adapter: {self.adapter!r} is none of engine.adapters ({', '.join(self.adapters) or 'none'})")
        return self

    @field_validator("devices", mode="before")
    @classmethod
    def _name_gpus(cls, given: Sequence[int | str]) -> tuple[str, ...]:
        return tuple(f"cuda:{device}" if isinstance(device, int) else device for device in given)

    @field_validator("url", "urls")
    @classmethod
    def _check_urls(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for url in (given,) if isinstance(given, str) else given:
            if url and not url.startswith(("http://", "https://")):
                raise ValueError("an engine's address begins with http:// or https://")
        return given


class DiscordOptions(ConfigSection):
    """Several bots on one database can share Discord's servers: each is told of some of `shards` parts."""

    delete_answers: bool = False  # when somebody deletes their question
    shards: Count = 1  # into how many parts the servers are spread, the same for all bots
    serve_shards: tuple[Annotated[int, Field(ge=0)], ...] = ()  # which of them are this bot's, from 0; empty = all
    token_file: Path | None = None  # or GANDER_DISCORD_TOKEN
    token: SecretStr | None = None

    @property
    def my_shards(self) -> tuple[int, ...]:
        """This bot's, in order."""
        return tuple(sorted(set(self.serve_shards))) or tuple(range(self.shards))

    @model_validator(mode="after")
    def _check_shards(self) -> DiscordOptions:
        if wrong := [shard for shard in self.serve_shards if shard >= self.shards]:
            raise ValueError(f"serve_shards: there is no shard {wrong[0]} of {self.shards}: they are numbered from 0")
        return self


class TelegramOptions(ConfigSection):
    token_file: Path | None = None  # or GANDER_TELEGRAM_TOKEN
    token: SecretStr | None = None
    server: str = "https://api.telegram.org"  # or a Bot API server of one's own, for files over 20 MB
    webhook_url: str = ""  # the public https:// address that Telegram is to call; empty = the bot polls
    webhook_host: str = "127.0.0.1"  # where we listen, behind a proxy that speaks HTTPS
    webhook_port: Annotated[int, Field(ge=0, le=65535)] = 8443
    local_files: bool = False  # that server runs with --local and on this machine: files are read from its disk

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook(cls, given: str) -> str:
        if given and not given.startswith("https://"):
            raise ValueError("Telegram calls https:// addresses only")
        return given

    @field_validator("server")
    @classmethod
    def _check_server(cls, given: str) -> str:
        if not given.startswith(("http://", "https://")):
            raise ValueError("a Bot API server's address begins with http:// or https://")
        return given.rstrip("/")


class WebOptions(ConfigSection):
    """The page. With a host other than this machine's own a password is needed."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8484  # a busy port takes the next free one
    address: str = ""  # https://… at which people reach the page, for links to it; empty = as it is served
    how: bool = True  # answers on Discord and Telegram get a button to how they came about: a link where `address` is set, else a picture
    trusted_proxies: tuple[str, ...] = ()  # addresses or networks whose X-Forwarded-For and -Proto are believed
    password_file: Path | None = None  # or GANDER_WEB_PASSWORD
    password: SecretStr | None = None

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(f"{each!r} is no address or network such as 127.0.0.1 or 10.0.0.0/8") from None
        return given

    @field_validator("address")
    @classmethod
    def _check_address(cls, given: str) -> str:
        if given and not given.startswith(("http://", "https://")):
            raise ValueError("the page's address begins with http:// or https://")
        return given


class StoreOptions(ConfigSection):
    """Several bots on one PostgreSQL share the queue; with the pictures in one folder, too, one goes on with another's questions."""

    pictures: Path | None = None  # a folder that every bot on the database can read and write; None = in the data folder
    url: Annotated[str, Field(repr=False)] = ""  # empty = SQLite in the data folder; GANDER_STORE_URL when it holds a password


class RetentionOptions(ConfigSection):
    days: Fraction = 90  # messages and pictures older than this are deleted; 0 = kept


class ConversationOptions(ConfigSection):
    idle_minutes: Fraction = 30  # after this long a mention starts afresh


class AccessOptions(ConfigSection):
    """Who may use the bot, as keys such as `discord:1234`. Denial wins. The terminal and the page are not restricted here."""

    everyone: bool = False
    allow_servers: frozenset[Key] = frozenset()
    allow_channels: frozenset[Key] = frozenset()
    allow_roles: frozenset[Key] = frozenset()
    allow_people: frozenset[Key] = frozenset()
    allow_bots: frozenset[Key] = frozenset()
    moderator_roles: frozenset[Key] = frozenset()  # may press others' buttons and delete what others asked
    operators: frozenset[Key] = frozenset()  # people who may set the policy for everywhere with /setup
    allow_private: bool = False  # anyone may write to it in private
    age_restricted_only: bool = False  # nowhere but in channels that the platform shows to adults alone
    deny_servers: frozenset[Key] = frozenset()
    deny_channels: frozenset[Key] = frozenset()
    deny_roles: frozenset[Key] = frozenset()
    deny_people: frozenset[Key] = frozenset()

    @property
    def decided(self) -> bool:
        """Whether the operator has said at all who may use the bot."""
        names = ("allow_servers", "allow_channels", "allow_roles", "allow_people")
        return self.everyone or self.allow_private or any(getattr(self, name) for name in names)


class RoleLimits(ConfigSection):
    """A role's limits instead of everybody's; for a person with several roles the most generous holds."""

    cooldown_seconds: Fraction | None = None
    burst: Count | None = None
    caps: Caps = {}


class LimitOptions(ConfigSection):
    """How much one person, and all together, may ask."""

    burst: Count = 6  # events (messages, commands, buttons) at once …
    cooldown_seconds: Fraction = 2.0  # … and then one in this time
    questions_per_person: Count = 3  # waiting or being answered
    questions_overall: Count = 200
    answer_hours: Fraction = 12.0  # a question that comes later than this (the bot was away) is not answered; 0: however late
    caps: Caps = {"beams": 5, "max_new_tokens": 1000}  # a setting's highest value
    roles: Mapping[Key, RoleLimits] = {}


class MediaOptions(ConfigSection):
    """Limits of one picture: bytes, pixels and seconds."""

    file_mib: Annotated[float, Field(gt=0)] = 20
    fetch_seconds: Annotated[float, Field(gt=0)] = 30
    megapixels: Annotated[float, Field(gt=0, le=1000)] = 50
    side_pixels: Annotated[int, Field(ge=64, le=8192)] = 1536  # larger pictures are made smaller
    originals_mib: Annotated[int, Field(ge=0)] = 500  # of larger pictures and films as they were sent, for a day; 0 keeps none
    decode_seconds: Annotated[float, Field(gt=0)] = 10
    memory_mib: Annotated[int, Field(ge=256)] = 1024  # of the child that decodes
    film_frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)] = 4  # that are taken from a film, and from pictures that move
    film_minutes: Annotated[float, Field(gt=0)] = 10  # of the longest film
    film_megapixels: Annotated[float, Field(gt=0, le=40)] = 10  # of one of its frames
    film_seconds: Annotated[float, Field(gt=0)] = 20  # of work
    read_writing: bool = True  # and tell it to the model, where the extra `reading` is installed
    reading_seconds: Annotated[float, Field(gt=0)] = 20
    reading_memory_mib: Annotated[int, Field(ge=1024)] = 3072  # address space of the child that reads, of which it uses about half

    @property
    def files(self) -> FileLimits:
        return FileLimits(int(self.file_mib * MIB), self.fetch_seconds)

    @property
    def decoding(self) -> DecodingLimits:
        return DecodingLimits(int(self.megapixels * 1e6), self.side_pixels, self.decode_seconds, self.memory_mib * MIB)

    @property
    def films(self) -> FilmSampling:
        return FilmSampling(self.film_frames, int(self.film_megapixels * 1e6), length=self.film_minutes * 60, seconds=self.film_seconds)

    @property
    def reading(self) -> ReadingLimits:
        return ReadingLimits(self.reading_seconds, self.reading_memory_mib * MIB)


class LoggingOptions(ConfigSection):
    level: Literal["debug", "info", "warning", "error"] = "info"  # debug shows what people write
    format: Literal["auto", "json", "console"] = "auto"  # auto = console on a terminal, JSON elsewhere


class NetworkOptions(ConfigSection):
    proxy: Annotated[str, Field(repr=False)] = ""  # of the platforms; GANDER_PROXY when it holds a password

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, given: str) -> str:
        if given and not given.startswith(("http://", "https://", "socks5://", "socks5h://")):
            raise ValueError("a proxy's address begins with http:// or socks5://")
        return given


class Config(ConfigSection):
    """The whole file."""

    engine: EngineOptions = EngineOptions()
    discord: DiscordOptions = DiscordOptions()
    telegram: TelegramOptions = TelegramOptions()
    web: WebOptions = WebOptions()
    store: StoreOptions = StoreOptions()
    retention: RetentionOptions = RetentionOptions()
    conversation: ConversationOptions = ConversationOptions()
    access: AccessOptions = AccessOptions()
    limits: LimitOptions = LimitOptions()
    settings: Annotated[Mapping[str, Value], AfterValidator(check_defaults)] = {}  # the bot's defaults
    media: MediaOptions = MediaOptions()
    logging: LoggingOptions = LoggingOptions()
    network: NetworkOptions = NetworkOptions()
