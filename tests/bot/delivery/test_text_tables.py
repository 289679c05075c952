"""Tables of an answer where a platform shows none: even columns in monospaced text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.markdown import defuse
from adapters.telegram.formatting import format_markdown
from bot.delivery.message_diff import MessageDiff, Send
from bot.delivery.text_tables import monospaced, width
from bot.platform import EditBudget, Limits, Outgoing

TABLE = """Here:

| Bird | How many | 颜色 |
|:-----|---------:|:----:|
| **goose** | 12 | 白色 |
| `duck` | 3 | 绿 |

That is all."""
EVEN = """Here:

```
Bird   How many  颜色
─────  ────────  ────
goose        12  白色
duck          3   绿
```

That is all."""


def test_columns_are_even_as_the_head_says_and_chinese_takes_two() -> None:
    assert monospaced(TABLE) == EVEN
    lines = EVEN.splitlines()[3:7]
    assert {width(line) for line in lines if line.endswith(("颜色", "白色", "────"))} == {21}


def test_what_is_no_table_stays_as_it_is() -> None:
    for text in ("a | b", "| a |\nno rule", "```\n| a |\n|---|\n| 1 |\n```", "yes || no", "- | a |\n  |---|\n  | 1 |", ""):
        assert monospaced(text) == text


def test_a_table_that_is_still_being_written_is_shown_as_far_as_it_goes() -> None:
    grown = [monospaced(TABLE[:end]) for end in range(len(TABLE) + 1)]
    assert grown[-1] == EVEN
    assert any("goose" in each and "duck" not in each and "```" in each for each in grown)


def test_discord_and_telegram_show_it_monospaced_and_a_platform_with_tables_as_it_is() -> None:
    assert shown(TABLE) == EVEN
    assert defuse(shown(TABLE)) == EVEN
    formatted = format_markdown(shown(TABLE))
    [entity] = [each for each in formatted.entities if each.type == "pre"]
    assert "goose        12" in formatted.text[entity.offset : entity.offset + entity.length]
    assert shown(TABLE, tables=True) == TABLE


@given(st.text(st.sampled_from("|-: \nab`*鹅>"), max_size=60))
def test_any_text_is_taken_and_every_block_closed(text: str) -> None:
    said = monospaced(text)
    assert (said.count("```") - text.count("```")) % 2 == 0
    assert said == text or "|" in text


def shown(text: str, *, tables: bool = False) -> str:
    diff = MessageDiff(Limits(2_000, EditBudget(5, 5.0), tables=tables), ends_directly=True)
    diff.finish(Outgoing(text))
    step = diff.next_step()
    assert isinstance(step, Send)
    return step.message.text
