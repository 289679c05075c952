"""Questions about drawn shapes ask for what is drawn, and their judges notice every gap."""

from pathlib import Path
from random import Random

from engine.evaluation.held_out import HeldOut
from engine.evaluation.suites.shapes import caption_colour, descriptions, positions, thing_case


def test_a_description_in_full_passes_and_every_gap_fails(tmp_path: Path) -> None:
    cases = list(descriptions(HeldOut(tmp_path), Random(5)))
    for case in cases:
        judge = case.checks[0].judge
        things, background = judge.wanted.split(" on ")
        assert judge.accepts(f"I see {things.replace(', ', ' and ')}s on a {background} background."), case.about
        assert not judge.accepts(f"I see {things.split()[0]} {things.split()[1]} things."), case.about
    assert len({case.about for case in cases}) > 90


def test_positions_ask_for_what_is_drawn(tmp_path: Path) -> None:
    for case in positions(HeldOut(tmp_path), Random(5)):
        check = case.checks[0]
        assert check.judge.accepts(check.judge.wanted), (case.about, check.judge.wanted)
        assert not check.judge.accepts("I'm not sure.")


def test_only_things_tell_their_colour(held_out: HeldOut) -> None:
    assert [caption_colour(thing) for thing in held_out.stamps] == [None, "green", None]


def test_a_thing_stands_on_white(held_out: HeldOut) -> None:
    case = thing_case(held_out.stamps[1], Random(1))
    assert case.picture is not None
    assert case.picture.getpixel((200, 200)) == (0, 200, 0)
    assert case.picture.getpixel((200, 20)) == (255, 255, 255)
