"""The forms that Discord opens as a small window: a question about a picture, and a setting's new value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import discord
from discord import ui

from bot.answer_settings import Setting, SettingKind
from bot.commands.single_setting import SCOPE
from bot.message import Invocation, Value
from bot.texts import Texts

Interaction = discord.Interaction[discord.Client]
Submit = Callable[[Interaction, Invocation], Awaitable[None]]

LABEL_LENGTH: Final = 45
QUESTION_LENGTH: Final = 1000
OPEN_SECONDS: Final = 900.0  # who closes a form tells nobody, and discord.py would keep it for ever


class AskForm(ui.Modal):
    """What somebody wants to know about a picture."""

    def __init__(self, texts: Texts, language: str, submit: Submit) -> None:
        super().__init__(title=texts.render(language, "discord.menu_ask")[:LABEL_LENGTH], timeout=OPEN_SECONDS)
        self._submit = submit
        self._question: ui.TextInput[AskForm] = ui.TextInput(style=discord.TextStyle.paragraph, max_length=QUESTION_LENGTH)
        self.add_item(ui.Label(text=texts.render(language, "option.prompt.description")[:LABEL_LENGTH], component=self._question))

    async def on_submit(self, interaction: Interaction) -> None:
        await self._submit(interaction, Invocation("ask", {"prompt": self._question.value}))


class SettingForm(ui.Modal):
    """A new value for one setting, and whom it is for. Left empty, the value is taken back."""

    def __init__(self, setting: Setting, texts: Texts, language: str, submit: Submit) -> None:
        super().__init__(title=texts.render(language, f"setting.{setting.name}.name")[:LABEL_LENGTH], timeout=OPEN_SECONDS)
        self._setting = setting
        self._submit = submit
        self._value = _value_field(setting, texts, language)
        self._scope: ui.Select[SettingForm] = ui.Select(
            options=[
                discord.SelectOption(label=SCOPE.label(choice, texts, language), value=choice, default=choice == SCOPE.choices[0])
                for choice in SCOPE.choices
            ]
        )
        self.add_item(ui.Label(text=texts.render(language, "discord.form_value")[:LABEL_LENGTH], component=self._value))
        self.add_item(ui.Label(text=texts.render(language, "discord.form_scope")[:LABEL_LENGTH], component=self._scope))

    async def on_submit(self, interaction: Interaction) -> None:
        value = self._value.value if isinstance(self._value, ui.TextInput) else "".join(self._value.values)
        chosen: dict[str, Value] = {"value": value.strip()} if value.strip() else {"clear": True}
        options: dict[str, Value] = {"name": self._setting.name, "scope": self._scope.values[0], **chosen}
        await self._submit(interaction, Invocation("settings", options))


def _value_field(setting: Setting, texts: Texts, language: str) -> ui.TextInput[SettingForm] | ui.Select[SettingForm]:
    if setting.kind is SettingKind.CHOICE:
        options = [
            discord.SelectOption(label=texts.render(language, f"choice.{setting.name}.{choice}"), value=choice)
            for choice in setting.choices
        ]
        return ui.Select(options=options, required=False, min_values=0)
    if setting.kind is SettingKind.TEXT:
        return ui.TextInput(style=discord.TextStyle.paragraph, required=False, max_length=int(setting.high))
    return ui.TextInput(required=False, max_length=12, placeholder=f"{setting.low:g} – {setting.high:g}")
