"""What is for one person alone is seen by nobody else, whatever Telegram loses: in presses, private chats, drafts, and sent there."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.texts import load_texts
from tests.adapters.strict.telegram.refusals import NO_QUERY, ApiError, Cut
from tests.adapters.strict.telegram.server import BotApi
from tests.adapters.strict.telegram.world import ANN, BOB, Json
from tests.adapters.telegram.rig import Whole, nothing_owed, whole
from tests.adapters.telegram.whole_bot.test_presses import answer_in

PRESSES = {
    "another's Stop": "/stop answer_id:{other}",
    "another's Again": "/again answer_id:{other}",
    "another's Settings": "/settings answer_id:{other}",
    "a vote for nothing": "/vote column:9 answer_id:{other}",
    "one's own Stop": "/stop answer_id:{own}",
}
OF_STRANGERS = ("another's Again", "another's Settings")  # whoever manages the group may do these, for all to see
PRIVATE = {"a question": "what is a goose, 鹅?", "a long command": "/help", "a panel": "/settings", "a refusal": "/temperature 99"}
ANNS = (*(each for each in PRESSES if each not in OF_STRANGERS), *PRIVATE, "a secret")  # who manages the group
BOBS = (*PRESSES, *PRIVATE)
SECRETS = [load_texts().on("telegram").render(language, "demo.no_page").partition("(")[0][:8] for language in ("en", "zh-CN")]
FLOOD = ApiError("Too Many Requests: retry after 1", 429, retry_after=1)
MISHAPS: Mapping[str, tuple[tuple[str, ApiError | Cut], ...]] = {
    "all is well": (),
    "the press is too old": (("answerCallbackQuery", ApiError(NO_QUERY)),) * 2,
    "a press is cut off": (("answerCallbackQuery", Cut()),),
    "presses are too many": (("answerCallbackQuery", FLOOD),),
    "the first words are lost": (("sendMessage", Cut()),),
    "messages are too many": (("sendMessage", FLOOD),),
    "drafts are too many": (("sendMessageDraft", FLOOD),),
    "the first words are said unheard": (),
    "Ann takes no messages": (),
}

Round = tuple[str, str, str]  # what Ann and Bob do at once, and what Telegram does meanwhile
ROUNDS = st.lists(st.tuples(st.sampled_from(ANNS), st.sampled_from(BOBS), st.sampled_from(list(MISHAPS))), min_size=4, max_size=6)


@dataclass
class Table:
    """Ann, who is told everything in English, and Bob, in Chinese, in one group, and each alone with the bot."""

    telegram: Whole
    home: Path
    group: int
    answers: dict[int, Json] = field(default_factory=dict)  # by person, the answer to them in the group
    heard: dict[int, int] = field(default_factory=dict)  # by person, how much was told to them alone
    presses: dict[str, int] = field(default_factory=dict)  # who pressed, by the press's id

    async def sit_down(self) -> None:
        self.telegram.world.managers.add((self.group, ANN["id"]))
        for person in (ANN, BOB):
            self.telegram.world.private(person)
            asked = await self.telegram.world.say(self.group, f"@gander_bot a goose, {person['first_name']}?", by=person)
            self.answers[person["id"]] = await self._answer_to(asked)
        before = len(self.telegram.said(self.group))
        await self.telegram.world.say(self.group, "/demo start")
        await self.telegram.until(lambda: len(self.telegram.said(self.group)) == before + 5 and self.settled())
        self.heard = {person["id"]: len(self.told(person)) for person in (ANN, BOB)}

    async def _answer_to(self, asked: Json) -> Json:
        await self.telegram.until(lambda: any("/again" in str(each) for each in self.said_to(asked)))
        return self.said_to(asked)[0]

    def said_to(self, asked: Json) -> list[Json]:
        return [
            each for each in self.telegram.said(self.group) if (each.get("reply_to_message") or {}).get("message_id") == asked["message_id"]
        ]

    async def do(self, kind: str, person: Json, other: Json) -> None:
        world = self.telegram.world
        if kind in PRESSES:
            own, theirs = self.answers[person["id"]], self.answers[other["id"]]
            command = PRESSES[kind].format(own=answer_in(own), other=answer_in(theirs))
            message = own if "own" in PRESSES[kind] else theirs
            await world.press(self.group, message["message_id"], command, by=person)
            self.presses[world.updates[-1]["callback_query"]["id"]] = person["id"]
        elif kind in PRIVATE:
            await world.say(person["id"], PRIVATE[kind], by=person)
        else:
            await world.say(self.group, "/demo wall", by=person)

    async def hears_more(self, person: Json) -> None:
        """Wait until this person alone was told something, and nothing is owed."""
        before = self.heard[person["id"]]
        await self.telegram.until(lambda: len(self.told(person)) > before and self.settled())
        self.heard[person["id"]] = len(self.told(person))

    def settled(self) -> bool:
        return nothing_owed(self.home) and not self.telegram.world.updates

    def told(self, person: Json) -> list[str]:
        """What was said to this person alone: in their chat, as a draft there, and in presses."""
        world = self.telegram.world
        chat = [words(each) for each in self.telegram.said(person["id"])]
        drafts = [each["text"] for each in world.drafts.get(person["id"], ())]
        answered = self.telegram.api.called("answerCallbackQuery")
        pressed = [each.get("text", "") for each in answered if self.presses[each["callback_query_id"]] == person["id"]]
        return [each for each in (*chat, *drafts, *pressed) if each.strip("…")]


def words(message: Json) -> str:
    return str(message.get("text") or message.get("caption") or "")


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text.replace("鹅", ""))


def meet(api: BotApi, mishap: str) -> None:
    for method, refusal in MISHAPS[mishap]:
        api.refuse(method, refusal)
    if mishap == "the first words are said unheard":
        api.after.setdefault("sendMessage", []).append(lambda: None)
    if mishap == "Ann takes no messages":
        api.blocked_by.add(ANN["id"])


@given(ROUNDS)
@settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_done_and_whatever_is_lost_nobody_sees_what_is_for_another(rounds: Sequence[Round]) -> None:
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_play(Path(home), rounds))


async def _play(home: Path, rounds: Sequence[Round]) -> None:
    async with whole(home) as telegram:
        table = Table(telegram, home, telegram.world.group())
        await table.sit_down()
        public = len(telegram.said(table.group))
        for anns, bobs, mishap in rounds:
            meet(telegram.api, mishap)
            for kind, person, other in ((anns, ANN, BOB), (bobs, BOB, ANN)):
                await table.do(kind, person, other)
            await telegram.until(table.settled)
            telegram.api.refusals.clear()
            telegram.api.after.clear()
            telegram.api.blocked_by.clear()
        secrets = sum(kind == "a secret" for kind, _, _ in rounds)
        shown = [words(each) for each in telegram.said(table.group)][public:]
        assert len(shown) <= secrets  # each tells, at the most, that it was told elsewhere
        assert not any(secret in each for each in shown for secret in SECRETS)
        assert [each for each in table.told(ANN) if is_chinese(each)] == []
        assert [each for each in table.told(BOB) if not (is_chinese(each) or each.startswith("You asked"))] == []


async def test_everything_private_is_told_to_whom_it_is_for(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        table = Table(telegram, tmp_path, telegram.world.group())
        await table.sit_down()
        for person, other, kinds in ((BOB, ANN, BOBS), (ANN, BOB, ANNS)):
            others = table.told(other)
            for kind in kinds:
                await table.do(kind, person, other)
                await table.hears_more(person)
            assert table.told(other) == others
