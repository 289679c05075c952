"""From what is shown of an answer to what should be: each step, also after a restart, a refusal or a change of the place's rules."""

from __future__ import annotations

import pytest

from bot.delivery.message_diff import ELLIPSIS, Delete, Edit, MessageDiff, Send
from bot.platform import EditBudget, Limits, Outgoing

LIMITS = Limits(text=80, budget=EditBudget(edits=5, seconds=5.0))


def test_an_answer_goes_on_in_the_message_it_had_begun_before_a_restart() -> None:
    diff = MessageDiff(LIMITS, begun=2)
    diff.finish(Outgoing("short"))
    steps = []
    while step := diff.next_step():
        steps.append(step)
        diff.record(step, 0.0)
    assert steps == [Edit(0, Outgoing("short")), Delete(1)]


def test_what_opens_the_message_of_a_finished_answer_says_whose_it_is() -> None:
    diff = MessageDiff(LIMITS)
    diff.finish(Outgoing("short", answer_id=7))
    step = diff.next_step()
    assert isinstance(step, Send)
    assert (step.message.text, step.message.answer_id) == (ELLIPSIS, 7)


def test_a_message_that_can_not_be_changed_is_sent_anew_with_what_follows() -> None:
    diff = MessageDiff(Limits(text=80, budget=LIMITS.budget, deduplicates=True), begun=3)
    diff.finish(Outgoing("goose " * 30))
    diff.resend_from(1)
    assert diff.next_step() == Edit(0, Outgoing(("goose " * 13).rstrip()))


@pytest.mark.parametrize("directly", [True, False])
def test_an_end_is_sent_directly_only_where_a_repeat_does_no_harm(directly: bool) -> None:
    diff = MessageDiff(LIMITS, ends_directly=directly)
    diff.finish(Outgoing("the end"))
    step = diff.next_step()
    assert isinstance(step, Send)
    assert (step.message.text == "the end") is directly


def test_what_takes_too_many_messages_goes_whole_into_a_file_of_the_last() -> None:
    diff = MessageDiff(Limits(text=200, budget=LIMITS.budget, deduplicates=True, messages=2))
    text = "word " * 200
    diff.update(Outgoing(text))
    sent = take_all(diff)
    assert [message.whole for message in sent] == ["", ""]
    diff.finish(Outgoing(text, footer="temperature 0"))
    last = take_all(diff)[-1]
    assert (last.whole, last.footer) == (text, "temperature 0")
    assert len(last.text) <= 100
    diff.drop_files()
    parts = take_all(diff)
    assert [message.whole for message in parts] == [""] * len(parts)
    assert len(parts) > 3
    assert diff.delivered


def take_all(diff: MessageDiff) -> list[Outgoing]:
    """What its steps say, until nothing is left to do."""
    said = []
    while (step := diff.next_step()) is not None:
        diff.record(step, 0.0)
        said += [step.message] if isinstance(step, Send | Edit) else []
    return said
