"""What a setting takes, and what it says when a value breaks its range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer_settings import SETTINGS, AnswerSettings, Setting, SettingKind, find_setting
from bot.errors import Refusal
from bot.message import Value
from engine.api import ChatRequest, Message


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("temperature", 0.7, 0.7),
        ("temperature", "0.7", 0.7),
        ("temperature", "0,7", 0.7),
        ("temperature", 0, 0.0),
        ("temperature", 2, 2.0),
        ("beams", "5", 5),
        ("beams", 5.0, 5),
        ("top_k", 0, 0),
        ("length_penalty", "-1", -1.0),
        ("language", "zh-cn", "zh-CN"),
        ("language", "中文", "zh-CN"),
        ("language", "zh-TW", "zh-TW"),
        ("language", "繁體中文", "zh-TW"),
        ("language", "English", "en"),
        ("memory", "Personal", "personal"),
        ("system_prompt", "  Be brief. ", "Be brief."),
    ],
)
def test_values_are_read_as_people_write_them(name: str, given: Value, expected: Value) -> None:
    value = SETTINGS[name].parse(given)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "given", "key", "values"),
    [
        ("temperature", 2.1, "settings.not_a_number_in_range", {"low": 0, "high": 2, "given": "2.1"}),
        ("temperature", "warm", "settings.not_a_number_in_range", {"low": 0, "high": 2, "given": "warm"}),
        ("temperature", "nan", "settings.not_a_number_in_range", {"low": 0, "high": 2, "given": "nan"}),
        ("temperature", True, "settings.not_a_number_in_range", {"low": 0, "high": 2, "given": "True"}),
        ("top_p", 0, "settings.not_a_number_in_range", {"low": 0.01, "high": 1, "given": "0"}),
        ("beams", 0, "settings.not_a_whole_number_in_range", {"low": 1, "high": 10, "given": "0"}),
        ("beams", "2.5", "settings.not_a_whole_number_in_range", {"low": 1, "high": 10, "given": "2.5"}),
        ("beams", "inf", "settings.not_a_whole_number_in_range", {"low": 1, "high": 10, "given": "inf"}),
        ("memory", "long", "settings.not_a_choice", {"choices": "shared, personal, replies", "given": "long"}),
        ("system_prompt", "x" * 2001, "settings.too_long", {"limit": 2000, "count": 2001}),
    ],
)
def test_a_bad_value_is_refused_with_its_range(name: str, given: Value, key: str, values: dict[str, Value]) -> None:
    with pytest.raises(Refusal) as refused:
        SETTINGS[name].parse(given)
    assert (refused.value.key, refused.value.values) == (key, {"name": name} | values)


NUMBERS = [setting for setting in SETTINGS.values() if setting.kind in {SettingKind.NUMBER, SettingKind.WHOLE}]


@given(st.sampled_from(NUMBERS), st.one_of(st.floats(), st.integers(), st.text()))
def test_whatever_is_given_comes_out_in_range_or_is_refused(setting: Setting, given: float | str) -> None:
    try:
        value = setting.parse(given)
    except Refusal as refusal:
        value = refusal.values["high"]
    assert setting.low <= float(value) <= setting.high


def test_an_unknown_setting_lists_the_known() -> None:
    with pytest.raises(Refusal) as refused:
        find_setting("warmth")
    assert refused.value.values == {"name": "warmth", "names": ", ".join(SETTINGS)}
    assert find_setting(" Beams ").name == "beams"


def test_each_setting_is_a_field_of_an_answer() -> None:
    assert {*SETTINGS, "answer_language"} == set(AnswerSettings.__slots__)  # which follows from the language


@pytest.mark.parametrize(
    "setting",
    [setting for setting in SETTINGS.values() if setting.wire and setting.kind is not SettingKind.CHOICE],
    ids=lambda setting: setting.name,
)
def test_the_engine_takes_both_ends_of_every_range(setting: Setting) -> None:
    for value in (setting.low, setting.high, *setting.suggestions):
        fields = {"messages": [Message(role="user", content="?")], setting.wire: setting.parse(value)}
        assert getattr(ChatRequest.model_validate(fields), setting.wire) == value
