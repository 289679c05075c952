"""The operator's configuration, from real files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.config.load import HIDDEN, SECRETS, Secret, check_ready_for_public, data_home, find_config, load_config, secret_values
from bot.config.schema import Config
from bot.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "deploy" / "gander.example.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "gander.toml"
    path.write_text(text, "utf-8")
    return path


def fault(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(written(folder, text), environ)
    return str(raised.value)


def options(model: type[BaseModel], section: str = "") -> Iterator[str]:
    """Every option as `section.name`."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from options(kind, name)
        elif (section, name) not in HIDDEN:
            yield f"{section}.{name}".strip(".")


def shown(text: str) -> Iterator[str]:
    """Every option that a file shows, commented or not, tables included."""
    table = ""
    for line in text.splitlines():
        if header := re.match(r"\[([\w.]+)\]", line):
            yield (table := header[1])
        elif option := re.match(r"(?:# )?(\w+) = ", line):
            yield f"{table}.{option[1]}".strip(".")


def test_the_example_loads_and_holds_the_defaults() -> None:
    assert load_config(EXAMPLE, {}) == Config()


def test_the_example_names_every_option() -> None:
    missing = set(options(Config)) - set(shown(EXAMPLE.read_text("utf-8")))
    assert not missing


def test_secrets_of_the_example_are_those_we_know() -> None:
    text = EXAMPLE.read_text("utf-8")
    assert set(re.findall(r"GANDER_\w+", text)) == {secret.variable for secret in SECRETS}


def test_no_file_means_defaults() -> None:
    assert load_config(None, {}) == Config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[engine]\nmodle = 'x'", "engine.modle is no option. Did you mean model?"),
        ("[telegarm]\n", "telegarm is no option. Did you mean telegram?"),
        (
            "[limits.roles.'discord:1']\ncoolddown = 3",
            "limits.roles.discord:1.coolddown is no option. Did you mean cooldown_seconds?",
        ),
        ("[web]\nqq = 1", "web.qq is no option. There are enabled, host, port, address, how, trusted_proxies, password_file."),
        ("[web]\nport = 70000", "web.port: Input should be less than or equal to 65535."),
        ("[web]\nport = 'x'", "web.port: Input should be a valid integer"),
        ("web = 3", "web: Input should be a valid dictionary"),
        ("[engine]\nurl = 'localhost:8000'", "begins with http://"),
        ("[settings]\ntemperature = 3", "settings: temperature is a number from 0 to 2; “3” is not."),
        ("[settings]\nwarmth = 3", "settings: There is no setting “warmth”. There are: temperature, "),
        ("[limits.caps]\nmemory = 3", "memory is no number"),
        ("[access]\nallow_servers = ['1234']", "'1234' lacks its platform: write discord:1234"),
        ("[limits.roles.1234]\nburst = 9", "'1234' lacks its platform: write discord:1234"),
        ("[network]\nproxy = 'localhost'", "begins with http:// or socks5://"),
        ("port = ", "is no TOML"),
    ],
)
def test_a_fault_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    assert said in fault(tmp_path, text)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    assert len(fault(tmp_path, "[web]\nport = 70000\n[media]\nside_pixels = 1").splitlines()) == 2


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.variable)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, secret: Secret) -> None:
    said = fault(tmp_path, f"[{secret.section}]\n{secret.name} = 'socks5://ada:hunter2@host'")
    assert secret.variable in said
    assert "hunter2" not in said


def test_an_address_without_a_password_may_stand_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[store]\nurl = 'postgresql://ada@host/gander'")
    assert load_config(path, {}).store.url == "postgresql://ada@host/gander"
    config = load_config(path, {"GANDER_STORE_URL": "postgresql://ada:hunter2@host/gander"})
    assert config.store.url == "postgresql://ada:hunter2@host/gander"
    assert "hunter2" not in repr(config)


def test_a_secret_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("from-file\n", "utf-8")
    named = written(tmp_path, f"[discord]\ntoken_file = '{secret}'")
    for path, environ, expected in (
        (named, {}, "from-file"),
        (named, {"GANDER_DISCORD_TOKEN": "from-environment"}, "from-environment"),
        (None, {"GANDER_DISCORD_TOKEN_FILE": str(secret)}, "from-file"),
    ):
        token = load_config(path, environ).discord.token
        assert token is not None
        assert token.get_secret_value() == expected
        assert expected not in repr(load_config(path, environ))


def test_all_secrets_in_use_are_known_to_the_log() -> None:
    environ = {secret.variable: f"hunter{number}" for number, secret in enumerate(SECRETS) if not secret.address}
    config = load_config(None, environ | {"GANDER_STORE_URL": "postgresql://ada:hun%20ter@host/gander", "GANDER_PROXY": "http://host:1"})
    assert secret_values(config) == [*environ.values(), "hun ter"]
    assert secret_values(Config()) == []


def test_a_secret_file_that_is_missing_or_empty_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert "discord.token_file names /nowhere" in fault(tmp_path, "[discord]\ntoken_file = '/nowhere'")
    assert "GANDER_WEB_PASSWORD_FILE names" in fault(tmp_path, "", GANDER_WEB_PASSWORD_FILE=str(tmp_path / "empty"))


def test_a_missing_file_is_said() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere\.toml does not exist\. deploy/gander\.example\.toml"):
        load_config(Path("/nowhere.toml"), {})


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert find_config(None, environ) is None
    (tmp_path / "config" / "gander").mkdir(parents=True)
    theirs = written(tmp_path / "config" / "gander", "")
    assert find_config(None, environ) == theirs
    here = written(tmp_path, "")
    assert find_config(None, environ) == here.relative_to(tmp_path)
    assert find_config(None, environ | {"GANDER_CONFIG": "/etc/gander.toml"}) == Path("/etc/gander.toml")
    assert find_config(Path("mine.toml"), environ | {"GANDER_CONFIG": "/etc/gander.toml"}) == Path("mine.toml")


def test_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert data_home({}) == Path("/home/ada/.local/share/gander")
    assert data_home({"XDG_DATA_HOME": "/data"}) == Path("/data/gander")
    assert data_home({"XDG_DATA_HOME": "/data", "GANDER_HOME": "~/geese"}) == Path("/home/ada/geese")


def test_engines_that_run_elsewhere(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "[engine]\nurl = 'http://a'\nurls = ['http://b', 'http://a']"), {})
    assert config.engine.remote == ("http://a", "http://b")
    assert Config().engine.remote == ()


def test_an_engine_of_our_own_is_started_as_configured(tmp_path: Path) -> None:
    options = load_config(written(tmp_path, "[engine]\nquantize = '4bit'\ndevices = ['cuda:0', 'cuda:1']"), {}).engine
    assert options.arguments == ("--quantize=4bit", "--device=cuda:0", "--device=cuda:1")
    bounded = load_config(written(tmp_path, "[engine]\nrows = 4\nmemory = 10.5\ndetail = 'low'"), {}).engine
    assert bounded.arguments == ("--quantize=auto", "--detail=low", "--rows=4", "--memory=10.5")
    adapted = load_config(written(tmp_path, "[engine]\nadapters = {a = '/x', b = '/y z'}\nadapter = 'b'"), {}).engine
    assert adapted.adapter_arguments == ("--adapter=a=/x", "--adapter=b=/y z")
    assert "'c' is none of engine.adapters (a)" in fault(tmp_path, "[engine]\nadapters = {a = '/x'}\nadapter = 'c'")


def test_whether_somebody_decided_who_may_use_it(tmp_path: Path) -> None:
    assert not Config().access.decided
    assert load_config(written(tmp_path, "[access]\nallow_people = ['telegram:1']"), {}).access.decided
    assert load_config(written(tmp_path, "[access]\neveryone = true"), {}).access.decided


@pytest.mark.parametrize("variable", ["GANDER_DISCORD_TOKEN", "GANDER_TELEGRAM_TOKEN"])
def test_a_public_platform_waits_until_somebody_decided(tmp_path: Path, variable: str) -> None:
    with pytest.raises(ConfigError, match=r"Say who may use the bot on \w+ before strangers spend your GPU.*everyone = true"):
        check_ready_for_public(load_config(None, {variable: "token"}))
    check_ready_for_public(load_config(written(tmp_path, "[access]\neveryone = true"), {variable: "token"}))
    check_ready_for_public(Config())
