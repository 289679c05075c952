"""Under any chunks, clock and budget: nothing is lost, no limit is broken, every end is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.delivery.edit_scheduler import EditScheduler
from bot.delivery.message_diff import Delete, Edit, MessageDiff, Preview, Send, Step
from bot.platform import Button, EditBudget, Limits, Outgoing

LIMITS = Limits(text=80, budget=EditBudget(edits=5, seconds=5.0))
WORDS = st.lists(st.sampled_from(["goose ", "lake. ", "\n\n", "```\n", "鹅", "feather" * 9 + " "]), max_size=60)


@dataclass
class Reader:
    """Carries steps out and remembers what a person would see, and when the platform was called."""

    limits: Limits
    channel: EditScheduler
    diffs: dict[int, MessageDiff] = field(default_factory=dict)
    shown: dict[int, list[Outgoing]] = field(default_factory=dict)
    calls: list[tuple[float, int, Step]] = field(default_factory=list)
    due: float = 0.0  # when it has to look again, whether or not there is news

    def add(self, answer: int) -> MessageDiff:
        diff = self.diffs[answer] = MessageDiff(self.limits)
        self.channel.add(answer, diff)
        return diff

    def run(self, now: float, until: float, *, news: bool = True) -> None:
        """Do whatever is due between `now` and `until`; without news only what was known to become due."""
        now = now if news else max(now, self.due)
        while now <= until:
            while found := self.channel.next_step(now):
                answer, step = found
                self.channel.count_step(answer, now)
                self._carry_out(answer, step)
                self.calls.append((now, answer, step))
                self.diffs[answer].record(step, now)
            wait = self.channel.seconds_until_next(now)
            now = self.due = float("inf") if wait is None else now + wait

    def _carry_out(self, answer: int, step: Step) -> None:
        messages = self.shown.setdefault(answer, [])
        if isinstance(step, Delete):
            assert step.part == len(messages) - 1
            messages.pop()
        elif isinstance(step, Send):
            assert step.part == len(messages)
            messages.append(step.message)
        elif isinstance(step, Edit):
            messages[step.part] = step.message


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[float, int, str | None]]:
    """Events of up to five answers: (time, answer, text so far), and None for its end."""
    events: list[tuple[float, int, str | None]] = []
    for answer in range(draw(st.integers(1, 5))):
        at, text = draw(st.floats(0, 10)), ""
        for word in draw(WORDS):
            at += draw(st.floats(0, 0.6))
            text += word
            events.append((at, answer, text))
        events.append((at + draw(st.floats(0, 2)), answer, None))
    return sorted(events, key=lambda event: event[0])


@given(
    events=streams(),
    edits=st.integers(1, 8),
    seconds=st.floats(0.5, 10),
    deduplicates=st.booleans(),
)
def test_every_end_is_shown_whole_within_limits_and_budget(
    events: list[tuple[float, int, str | None]], edits: int, seconds: float, deduplicates: bool
) -> None:
    limits = Limits(text=80, budget=EditBudget(edits, seconds), deduplicates=deduplicates)
    reader, texts, clock, news = Reader(limits, EditScheduler(limits)), dict[int, str](), 0.0, True
    diffs = reader.diffs
    for at, answer, text in events:
        reader.run(clock, at, news=news)
        clock, news = at, True
        if answer not in diffs:
            reader.add(answer)
        if text is None:
            diffs[answer].finish(Outgoing(texts.get(answer, ""), (Button.AGAIN,), answer, footer="beams 5"))
        else:
            texts[answer] = text
            news = diffs[answer].update(Outgoing(text, (Button.STOP,), answer))
    reader.run(clock, clock + 10_000, news=news)

    assert all(diff.delivered for diff in diffs.values())
    for answer in diffs:
        assert_whole(reader.shown[answer], texts.get(answer, ""))
        assert all(limits.length(f"{m.text}\n\n{m.footer}" if m.footer else m.text) <= limits.text for m in reader.shown[answer])
    assert_within_budget([at for at, _, _ in reader.calls], edits, seconds)
    if not deduplicates:
        assert not any(isinstance(step, Send) and step.message.buttons == (Button.AGAIN,) for _, _, step in reader.calls)


def assert_whole(shown: list[Outgoing], text: str) -> None:
    assert letters("".join(message.text for message in shown)) == letters(text)
    assert all(message.final for message in shown)
    assert [message.footer for message in shown] == [*[""] * (len(shown) - 1), "beams 5"]


def assert_within_budget(calls: list[float], edits: int, seconds: float) -> None:
    for first, last in zip(calls, calls[edits:], strict=False):
        assert last - first >= seconds * (1 - 1e-9)


def letters(text: str) -> str:
    return "".join(text.replace("```", "").split())


def test_growth_calls_for_a_look_only_where_none_is_coming() -> None:
    reader = Reader(LIMITS, EditScheduler(LIMITS))
    diff = reader.add(1)
    assert diff.update(Outgoing("A"))
    assert not diff.update(Outgoing("A goose"))  # nobody has looked yet
    reader.run(0.0, 0.0)
    assert diff.update(Outgoing("A goose on"))
    reader.run(0.1, 0.1)  # too early for an edit: it comes by itself
    assert not diff.update(Outgoing("A goose on a lake"))
    reader.run(0.2, 1.0, news=False)
    assert [message.text for message in reader.shown[1]] == ["A goose on a lake"]


def test_ends_go_before_what_still_grows() -> None:
    channel = EditScheduler(LIMITS)
    growing, ending = MessageDiff(LIMITS, begun=1), MessageDiff(LIMITS, begun=1)
    channel.add(1, growing)
    channel.add(2, ending)
    growing.update(Outgoing("so far"))
    ending.finish(Outgoing("all"))
    assert channel.next_step(0.0) == (2, Edit(0, Outgoing("all")))


def test_under_pressure_there_are_no_placeholders() -> None:
    reader = Reader(LIMITS, EditScheduler(LIMITS))
    for answer in range(9):
        reader.add(answer).update(Outgoing("in line"))
    reader.run(0.0, 0.0)
    assert 0 < len(reader.calls) < LIMITS.budget.edits


def test_where_questions_are_marked_all_of_a_rush_is_answered_in_one_message_each() -> None:
    limits = Limits(text=80, budget=EditBudget(edits=5, seconds=5.0), ends_directly=True, reacts=True)
    reader = Reader(limits, EditScheduler(limits))
    diffs = [reader.add(answer) for answer in range(12)]
    for diff in diffs:
        diff.update(Outgoing("in line"))
    reader.run(0.0, 2.0)
    assert reader.calls == []
    promised = [reader.channel.seconds_until_shown(number, 2.0) for number in range(1, 13)]
    for diff in diffs:
        diff.finish(Outgoing("the end"))
    reader.run(2.0, 60.0)
    assert [(at - 2.0, type(step)) for at, _, step in reader.calls] == [(at, Send) for at in promised]
    assert promised == [0.0] * 5 + [5.0] * 5 + [10.0] * 2


def test_what_the_platform_pauses_is_not_promised_earlier() -> None:
    channel = EditScheduler(LIMITS)
    channel.pause(until=30.0)
    assert (channel.seconds_until_shown(1, now=10.0), channel.seconds_until_shown(6, now=28.0)) == (20.0, 5.0)


def test_streaming_leaves_room_for_an_end_at_any_time() -> None:
    channel, clock = EditScheduler(LIMITS), 0.0
    reader = Reader(LIMITS, channel)
    diff = reader.add(1)
    for n in range(400):
        diff.update(Outgoing(f"word {n}"))
        reader.run(clock, clock + 0.05)
        clock += 0.05
        assert channel.next_step(clock) is None
    waiting = MessageDiff(LIMITS, begun=1)
    channel.add(2, waiting)
    waiting.finish(Outgoing("the end"))
    assert channel.next_step(clock) is not None


def test_a_flood_limit_delays_and_loses_nothing() -> None:
    channel, diff = EditScheduler(LIMITS), MessageDiff(LIMITS, begun=1)
    channel.add(1, diff)
    diff.finish(Outgoing("the end"))
    channel.count_step(1, 0.0)
    channel.pause(until=30.0)
    assert channel.next_step(29.0) is None
    assert channel.seconds_until_next(0.0) is not None
    assert channel.next_step(30.0) == (1, Edit(0, Outgoing("the end")))


def test_one_message_that_fails_does_not_hold_up_the_others() -> None:
    channel, failing, other = EditScheduler(LIMITS), MessageDiff(LIMITS, begun=1), MessageDiff(LIMITS, begun=1)
    for answer, diff in enumerate((failing, other)):
        diff.finish(Outgoing("the end"))
        channel.add(answer, diff)
    channel.count_step(0, 0.0)
    channel.back_off(0, until=8.0)
    assert channel.next_step(1.0) == (1, Edit(0, Outgoing("the end")))
    other.record(Edit(0, Outgoing("the end")), 1.0)
    assert (channel.next_step(7.9), channel.next_step(8.0)) == (None, (0, Edit(0, Outgoing("the end"))))


def test_a_drafted_answer_shows_every_text_without_a_placeholder_and_ends_as_a_message() -> None:
    limits = Limits(text=80, budget=EditBudget(edits=5, seconds=5.0), ends_directly=True, draft_seconds=30.0)
    channel, diff = EditScheduler(limits), MessageDiff(limits)
    channel.add(1, diff)
    diff.update(Outgoing("One"))
    assert channel.next_step(0.0) == (1, Preview(Outgoing("One", final=False)))
    channel.count_step(1, 0.0)
    diff.record(Preview(Outgoing("One", final=False)), 0.0)
    diff.update(Outgoing("One goose"))
    assert channel.next_step(0.5) is None  # drafts keep to the budget's pace
    diff.finish(Outgoing("One goose."))
    assert channel.next_step(0.5) == (1, Send(0, Outgoing("One goose.")))


def test_of_a_long_drafted_answer_what_is_full_is_sent_and_the_rest_drafted() -> None:
    limits = Limits(text=80, budget=EditBudget(edits=50, seconds=5.0), ends_directly=True, draft_seconds=30.0)
    reader = Reader(limits, EditScheduler(limits))
    diff, words = reader.add(1), "goose " * 30
    for length in range(6, len(words) + 1, 6):
        diff.update(Outgoing(words[:length]))
        reader.run(length / 1.0, length + 5.0)
    assert [message.text for message in reader.shown[1]] == [("goose " * 13).rstrip()] * 2
    diff.finish(Outgoing(words))
    reader.run(200.0, 300.0)
    assert [message.text.split() for message in reader.shown[1]] == [["goose"] * 13, ["goose"] * 13, ["goose"] * 4]
    steps = [type(step) for _, _, step in reader.calls]
    assert (steps.count(Send), steps.count(Edit)) == (3, 0)


def test_a_draft_that_does_not_grow_is_shown_again_before_it_fades() -> None:
    limits = Limits(text=80, budget=EditBudget(edits=5, seconds=5.0), draft_seconds=30.0)
    reader = Reader(limits, EditScheduler(limits))
    diff = reader.add(1)
    diff.update(Outgoing("Thinking"))
    reader.run(0.0, 100.0)
    times = [at for at, _, _ in reader.calls]
    assert len(times) == 5
    assert all(later - earlier < 30.0 for earlier, later in pairwise(times))
    diff.finish(Outgoing("The end."))
    reader.run(100.0, 200.0)
    assert diff.delivered
    assert reader.channel.seconds_until_next(200.0) is None


def test_votes_under_answers_leave_room_for_the_ends_of_others() -> None:
    channel = EditScheduler(LIMITS)
    diffs: dict[int, MessageDiff] = {}
    for number in range(1, 8):
        diffs[number] = MessageDiff(LIMITS, begun=1, is_revision=True)
        diffs[number].finish(Outgoing(f"answer {number}", answer_id=number))
        channel.add(number, diffs[number])
    shown = [answer for tick in range(45) if (answer := _carry_out(channel, diffs, tick / 10))]
    assert 0 < len(shown) < LIMITS.budget.edits
    diffs[9] = MessageDiff(LIMITS, begun=1)
    diffs[9].finish(Outgoing("at last"))
    channel.add(9, diffs[9])
    assert _carry_out(channel, diffs, 4.5) == 9


def _carry_out(channel: EditScheduler, diffs: dict[int, MessageDiff], now: float) -> int | None:
    """Do the next step, if there is one; whose it was."""
    found = channel.next_step(now)
    if found is None:
        return None
    channel.count_step(found[0], now)
    diffs[found[0]].record(found[1], now)
    return found[0]
