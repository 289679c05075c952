"""Every word the bot says: the same in both languages, all of it used, none of it in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

import pytest

from adapters.discord.invite import NEEDED
from bot.access.policy import LISTS
from bot.answer_settings import SETTINGS
from bot.command_registry import COMMANDS
from bot.commands.command import IDS
from bot.commands.parser import parse_command
from bot.commands.setup import ADULTS, CAPS, COOLDOWN, KEPT
from bot.demo.samples import SAMPLES
from bot.message import Address, Author, Incoming, Place
from bot.platform import Button
from bot.regions import BY_NAME
from bot.resolve_answer_settings import Origin
from bot.store.scoped_settings import Scope
from bot.texts import CHINESE, DIALECTS, ENGLISH, LANGUAGES, PLURAL, TAIWANESE, Text, Texts, choose_language, load_texts, match_language
from bot.texts.marked_commands import MARKED, mark, show_plain

ROOT = Path(__file__).parents[2]
MAINLAND = re.compile("服務器|默認|屏幕|網絡|日誌|信息|用戶|命令|身份組|子區|軟件|鼠標|私信")  # Taiwan says these otherwise
HAN = re.compile(r"[\u4e00-\u9fff]")


def said_on(platform: str) -> Incoming:
    author = Author(platform, "1", "Ann")
    return Incoming("1", Place(platform, "1"), author, Address.COMMAND, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def texts() -> Texts:
    return load_texts()


def forms(text: Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def placeholders(text: Text) -> set[str]:
    return {name for form in forms(text) for _, name, _, _ in Formatter().parse(form) if name is not None}


def trees(*folders: str) -> Iterator[ast.Module]:
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        yield ast.parse(path.read_text("utf-8"))


def literals(*folders: str) -> Iterator[str]:
    """Every string in the code, docstrings left out."""
    for tree in trees(*folders):
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs)
        yield from (node.value for node in constants if isinstance(node.value, str))


def keys_said(*folders: str) -> Iterator[str]:
    """The keys that the code names where it says or refuses something."""
    for tree in trees(*folders):
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if called in {"say", "Refusal"}:
                given = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
                yield from given[-1:]


def keys_built_from_names() -> Iterator[str]:
    """The keys that are put together from the name of a command, an option, a setting or a choice."""
    for command in COMMANDS.values():
        yield from (f"command.{command.name}.{part}" for part in ("name", "description", "help"))
        for option in (option for option in command.options if not option.hidden):
            yield from (f"option.{option.name}.{part}" for part in ("name", "description"))
            yield from (option.words.format(choice=choice) for choice in option.choices)
    for setting in SETTINGS.values():
        yield from (f"setting.{setting.name}.{part}" for part in ("name", "explanation"))
        yield from (f"setting.{setting.name}.footer",) if setting.shapes_answer else ()
        yield from (f"choice.{setting.name}.{choice}" for choice in setting.choices)
    yield from (f"origin.{origin}" for origin in (*Origin, "locale", "operator"))
    yield from (f"settings.for.{scope}" for scope in Scope)
    yield from (f"button.{button}" for button in Button)
    yield from (f"sample.{sample.name}.{part}" for sample in SAMPLES.values() for part in ("title", "alt", *sample.questions))
    yield from (f"forget.confirm.{what}" for what in ("me", "channel", "person"))
    yield from (f"forget.nothing.{what}" for what in ("channel", "person"))
    yield from (f"settings.not_an_id.{kind}" for kind in IDS)
    yield from (f"discord.lacks.{name}" for name, needed in NEEDED if needed)
    yield from (f"setup.list.{name}" for name in LISTS)
    yield from (f"region.{name}" for name in (*BY_NAME, "box"))


@pytest.mark.parametrize("language", [CHINESE, TAIWANESE])
def test_every_language_has_the_same_texts_with_the_same_placeholders(texts: Texts, language: str) -> None:
    english, other = texts.written(ENGLISH), texts.written(language)
    assert english.keys() == other.keys()
    assert {key: placeholders(text) for key, text in english.items()} == {key: placeholders(text) for key, text in other.items()}
    assert texts.own(ENGLISH).keys() == texts.own(language).keys()


def test_taiwan_has_its_own_characters_and_words(texts: Texts) -> None:
    for key, text in [*texts.written(TAIWANESE).items(), *texts.own(TAIWANESE).items()]:
        for form in forms(text):
            if key != "choice.language.zh-CN":
                characters = "".join(HAN.findall(form))
                assert characters.encode("big5", "ignore").decode("big5") == characters, key  # it has traditional ones alone
                assert not MAINLAND.search(form), key
    names = [texts.render(TAIWANESE, f"command.{name}.name") for name in ("settings", "help", "demo")]
    assert names == ["設定", "說明", "展示"]
    assert texts.render(TAIWANESE, "option.server.name") == "伺服器編號"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_platform_says_otherwise_is_said_elsewhere_too_with_the_same_values(texts: Texts, language: str) -> None:
    for key, text in texts.own(language).items():
        whose, _, shared = key.partition(".")
        assert whose in {name for names in DIALECTS.values() for name in names}, key
        assert placeholders(text) <= placeholders(texts.written(language)[shared]), key


# What Telegram has not, and what is said of it there.
FOREIGN = re.compile(r"\b(?<!{)(channel|server|role|thread)s?\b(?!})|频道|服务器|身份组|子区|頻道|伺服器|身分組|討論串", re.IGNORECASE)
NOWHERE_SAID = re.compile(
    r"discord\.|delivery\.blocked|option\.(role|server)\.|choice\.scope\.server|setup\.list\.(allow|deny)_(servers|roles)|choice\.rule\.adults|forget\.stays"
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("platform", ["telegram", "web", "terminal"])
def test_where_there_are_no_channels_nobody_is_told_of_one(texts: Texts, platform: str, language: str) -> None:
    said = texts.on(platform).written(language)
    words = {key: forms(text) for key, text in said.items() if not NOWHERE_SAID.match(key)}
    assert {key: each for key, each in words.items() if any(FOREIGN.search(form) for form in each)} == {}


def test_a_command_in_a_text_has_the_name_that_people_see_there(texts: Texts) -> None:
    assert f"{mark('ask', '提问')} `问题:这是什么？`" in texts.on("discord").render(CHINESE, "ask.empty")
    assert "/ask 这是什么？" in texts.on("telegram").render(CHINESE, "ask.empty")
    assert f"{mark('ask', 'ask')} `prompt:what is this?`" in texts.on("discord").render(ENGLISH, "ask.empty")
    for platform, named in (("discord", mark("ask", "提问")), ("telegram", "/ask")):
        assert named in texts.on(platform).render(CHINESE, "help.near", topic="aks", near="ask")
        assert texts.on(platform).command(CHINESE, "ask") == named


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_command_is_marked_where_a_mark_would_be_seen(texts: Texts, language: str) -> None:
    """In code it can't be clicked; names, descriptions, labels and choices are registered as they are."""
    for key, text in texts.on("discord").written(language).items():
        for form in forms(text):
            assert not any(MARKED.search(code) for code in re.findall(r"`[^`]*`", form)), key
            registered = re.match(r"(command|option|setting|choice|button)\.", key) and not key.endswith((".help", ".explanation"))
            assert not (registered and MARKED.search(form)), key


def test_a_plural_has_every_form_of_its_language(texts: Texts) -> None:
    for language, wanted in ((ENGLISH, PLURAL), (CHINESE, {"other"})):
        for key, text in texts.written(language).items():
            if not isinstance(text, str):
                assert set(text) == wanted, key


def test_every_text_is_used_and_every_key_in_the_code_exists(texts: Texts) -> None:
    known = set(texts.written(ENGLISH))
    built = set(keys_built_from_names())
    assert built <= known
    assert set(keys_said("bot", "adapters")) <= known
    assert known - built <= set(literals("bot", "adapters"))


def test_chinese_is_written_in_chinese_and_english_is_not(texts: Texts) -> None:
    exceptions = {key for key in texts.written(ENGLISH) if key.startswith(("choice.language.", "command.language."))}
    for key, text in texts.written(ENGLISH).items():
        assert key in exceptions or not any(HAN.search(form) for form in forms(text)), key
    for key, text in (*texts.written(CHINESE).items(), *texts.written(TAIWANESE).items()):
        names = (
            key in exceptions
            or key in {"settings.line", "setup.line", "forget.comma"}
            or re.fullmatch(r"(setting|option)\.top_[pk]\.(name|footer)", key)
        )
        assert names or all(HAN.search(form) for form in forms(text)), key


def test_names_and_descriptions_fit_every_platform(texts: Texts) -> None:
    """Discord: names of up to 32 lower-case letters without spaces, descriptions of up to 100 characters; Telegram: ASCII names."""
    for key, text in (pair for language in LANGUAGES for pair in texts.written(language).items()):
        if key.startswith(("command.", "option.")) and key.endswith(".name"):
            assert re.fullmatch(r"[\w-]{1,32}", str(text)), key
            assert str(text) == str(text).lower(), key
        if key.startswith(("command.", "option.")) and key.endswith(".description"):
            assert 0 < len(str(text)) <= 100, key
    assert all(re.fullmatch(r"[a-z_]{1,32}", name) for name in COMMANDS)
    assert all(command.names(texts)[ENGLISH] == name for name, command in COMMANDS.items())


def test_no_two_commands_and_no_two_options_of_one_share_a_name(texts: Texts) -> None:
    for language in LANGUAGES:
        names = [command.names(texts)[language] for command in COMMANDS.values()]
        assert len(set(names)) == len(names)
        for command in COMMANDS.values():
            options = [texts.render(language, f"option.{option.name}.name") for option in command.options if not option.hidden]
            assert len(set(options)) == len(options), command.name


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("platform", ["discord", "telegram"])
def test_every_command_that_is_given_as_an_example_can_be_typed(texts: Texts, language: str, platform: str) -> None:
    said = texts.on(platform).written(language)
    written = [show_plain(form) for text in said.values() for form in forms(text)]
    examples = [found for form in written for found in re.findall(r"`(/[^`]+)`", form)]
    examples += [" ".join(found) for form in written for found in re.findall(r"(?<![\w/`])(/[^\W\d_]+) `([^`]+)`", form)]
    assert len(examples) > 20
    for example in examples:
        invocation = parse_command(example.format(name="goose", rule="beams"), COMMANDS, texts)
        assert invocation is not None, example
        assert invocation.name != "help" or example.startswith(("/help", "/帮助", "/說明")), example
        for name, value in invocation.options.items():
            option = COMMANDS[invocation.name].option(name)
            assert option is not None, example
            if option.kind not in IDS:  # there a mention stands for an id
                option.read(value, texts, said_on(platform))
            if option.setting:
                SETTINGS[option.setting].parse(value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_discord_an_example_gives_its_values_by_the_names_that_are_offered_there(texts: Texts, language: str) -> None:
    examples = [
        found
        for text in texts.on("discord").written(language).values()
        for form in forms(text)
        for found in re.finditer(rf"{MARKED.pattern} `(?P<given>[^`]+)`", form)
    ]
    assert len(examples) > 20
    for example in examples:
        options = [option for option in COMMANDS[example[1]].options if not option.hidden]
        offered = {texts.render(language, f"option.{option.name}.name") for option in options}
        assert example["given"].partition(":")[0] in offered, example
        assert set(re.findall(r" (\w+):", example["given"])) <= offered, example


def test_the_help_of_setup_names_every_rule_as_it_is_typed(texts: Texts) -> None:
    for rule in (*KEPT, ADULTS, COOLDOWN, *CAPS):
        assert rule in texts.render(ENGLISH, "command.setup.help")
        for language in (CHINESE, TAIWANESE):
            assert texts.render(language, f"choice.rule.{rule}") in texts.render(language, "command.setup.help")


def test_saying_fills_in_and_chooses_the_plural(texts: Texts) -> None:
    assert texts.render("en", "stop.done", count=1) == "Stopped."
    assert texts.render("en", "stop.done", count=3) == "Stopped 3 answers."
    assert texts.render("zh-TW", "stop.done", count=1) == "已停止 1 個回答。"
    assert texts.render("fr", "stop.done", count=1) == "Stopped."
    with pytest.raises(KeyError):
        texts.render("en", "stop.unheard_of")


CHINESE_LOCALES = ("zh", "zh-Hans", "zh_CN", "zh_CN.UTF-8", "zh-Hans-HK", "cmn")
TAIWANESE_LOCALES = ("zh-TW", "zh_TW.UTF-8", "zh-Hant-TW", "zh-HK", "zh-hant", "cmn-Hant")
OTHERS = {"en-GB": ENGLISH, "EN": ENGLISH, "fr": None, "zhx": None, "english": None, "": None}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [*dict.fromkeys(CHINESE_LOCALES, CHINESE).items(), *dict.fromkeys(TAIWANESE_LOCALES, TAIWANESE).items(), *OTHERS.items()],
)
def test_locales_find_their_language(wanted: str, expected: str | None) -> None:
    assert match_language(wanted) == expected


def test_the_first_language_that_we_speak_is_chosen() -> None:
    assert choose_language(None, "fr", "zh-TW", "en") == TAIWANESE
    assert choose_language("en", "zh") == ENGLISH
    assert choose_language("fr", None) == ENGLISH
