"""What a full window costs: the oldest text goes in one cut, and pictures, system prompt and last question stay."""

from __future__ import annotations

from functools import partial

from PIL import Image

from engine.images.decode import Picture
from engine.prompts.truncation import truncate
from engine.prompts.turn import Turn

CAT = Picture(Image.new("RGB", (2, 2)), "cat")
DOG = Picture(Image.new("RGB", (2, 2)), "dog")
user, assistant, system = partial(Turn, "user"), partial(Turn, "assistant"), partial(Turn, "system")


def words(turn: Turn) -> int:
    return sum(10 if isinstance(part, Picture) else len(part.split()) for part in turn.parts)


def long_conversation() -> list[Turn]:
    turns = [system(("be good",)), user((CAT, "what is this")), assistant(("a cat",))]
    for number in range(5):
        turns += [user((f"question number {number}",)), assistant((f"answer number {number}",))]
    return [*turns, user((DOG, "last one"))]


def test_what_fits_stays() -> None:
    turns = long_conversation()
    assert truncate(turns, words, sum(map(words, turns)), 5) == (turns, 0)


def test_the_oldest_text_goes_in_one_cut() -> None:
    turns = long_conversation()
    kept, dropped = truncate(turns, words, sum(map(words, turns)) - 1, 38)
    assert dropped == 8
    assert kept == [turns[0], user((CAT, "question number 3")), *turns[10:]]


def test_of_a_conversation_of_thousands_no_more_is_measured_than_fits() -> None:
    turns = [Turn(role, (f"number {number}",)) for number in range(2000) for role in ("user", "assistant")]
    measured: list[Turn] = []

    def measure(turn: Turn) -> int:
        measured.append(turn)
        return words(turn)

    kept, dropped = truncate(turns, measure, 101, 100)
    assert (kept, dropped) == (turns[-50:], 3950)
    assert len({turn for turn in measured if turn.parts}) == 52  # one exchange more than fits


def test_system_prompt_pictures_and_last_question_stay_whatever_the_target() -> None:
    turns = long_conversation()
    kept, dropped = truncate(turns, words, 0, 0)
    assert (kept, dropped) == ([turns[0], user((CAT, DOG, "last one"))], 12)
