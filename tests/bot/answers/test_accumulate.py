"""An answer grows chunk by chunk, as one text or as the columns of a comparison."""

from __future__ import annotations

from bot.answers.accumulate import Comparison, Draft
from bot.platform import AnswerColumn
from bot.store.tables import Finish
from engine.api import BeamNode, Chunk, ChunkChoice, Delta, FinishReason, Usage


def chunk(choice: ChunkChoice, usage: Usage | None = None) -> Chunk:
    return Chunk(id="1", created=0, model="m", choices=(choice,), usage=usage)


def said(text: str = "", finish: FinishReason | None = None) -> ChunkChoice:
    return ChunkChoice(delta=Delta(content=text), finish_reason=finish)


def test_text_is_added_and_counted_until_the_engine_says_how_much_it_was() -> None:
    draft = Draft()
    draft.add(chunk(said("A ")))
    draft.add(chunk(said("goose.")))
    assert (draft.text, draft.tokens, draft.finish) == ("A goose.", 2, Finish.STOPPED)
    draft.add(chunk(said(finish="length"), Usage(prompt_tokens=7, completion_tokens=5, total_tokens=12)))
    assert (draft.tokens, draft.prompt_tokens, draft.finish) == (5, 7, Finish.LENGTH)
    assert draft.work(beams=3) == 15


def test_the_best_beam_so_far_stands_until_one_is_chosen() -> None:
    draft = Draft()
    draft.add(chunk(ChunkChoice(provisional="A duck")))
    draft.add(chunk(ChunkChoice(provisional="A goo")))
    assert draft.text == "A goo"
    tree = (BeamNode(text="A goose.", score=-1.0, parent=None, step=1, rank=0, choice=0),)
    draft.add(chunk(said("A goose.", "stop").model_copy(update={"beams": tree, "length_penalty": 2.0})))
    assert (draft.text, draft.beams, draft.length_penalty) == ("A goose.", tree, 2.0)


def test_what_a_server_filtered_is_known_as_that() -> None:
    draft = Draft()
    draft.add(chunk(said("A", "content_filter")))
    assert (draft.filtered, draft.finish) == (True, Finish.STOP)


def test_a_comparison_is_its_columns() -> None:
    left, right = Draft(), Draft()
    both = Comparison(("0.2", "1.5"), (left, right), (1, 4))
    assert both.text == ""
    left.add(chunk(said("A goose.", "length")))
    assert both.text == "**0.2**\nA goose.\n\n**1.5**\n…"
    unfinished = both.finish
    right.add(chunk(said("Geese!", "stop")))
    assert (unfinished, both.finish) == (Finish.STOPPED, Finish.STOP)  # one column can't be continued alone
    assert both.columns == (AnswerColumn("0.2", "A goose."), AnswerColumn("1.5", "Geese!"))
    assert (both.tokens, both.work(beams=9)) == (2, 5)
