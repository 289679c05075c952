"""What a beam search tells of itself: its tree, which hypotheses finished, and which of them won."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.build import build_engine
from engine.request import ChoiceFinished, TextDelta
from tests.engine.core.requests import asked, model, run


def test_the_tree_of_a_beam_search_leads_to_its_answer() -> None:
    (listener,) = run(build_engine(model()), replace(asked(num_beams=3, max_tokens=8), beam_tree=True))
    (ending,) = (event for event in listener.events if isinstance(event, ChoiceFinished))
    tree = ending.beams
    assert [node.text for node in tree if node.choice == 0] == [listener.text]
    for at, node in enumerate(tree):
        assert (node.parent is None) == (node.step == 1)
        if node.parent is not None:
            parent = tree[node.parent]
            assert node.parent < at
            assert parent.step == node.step - 1
            assert node.text.startswith(parent.text)
            assert node.score <= parent.score


@pytest.mark.parametrize("penalty", [-2.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize(("temperature", "n"), [(0.0, 1), (0.0, 3), (1.8, 1), (1.8, 2)])
def test_the_search_says_which_hypotheses_finished_and_which_of_them_won(penalty: float, temperature: float, n: int) -> None:
    wish = asked(num_beams=4, max_tokens=8, length_penalty=penalty, temperature=temperature)
    (listener,) = run(build_engine(model()), replace(wish, beam_tree=True, n=n, seed=5))
    endings = [event for event in listener.events if isinstance(event, ChoiceFinished)]
    texts = {event.choice: event.text for event in listener.events if isinstance(event, TextDelta)}
    tree, finished = endings[0].beams, [node for node in endings[0].beams if node.rank is not None]
    assert endings[0].length_penalty == penalty
    assert all(node.rank == pytest.approx(node.score / node.step**penalty) for node in finished)
    best = sorted(finished, key=lambda node: -(node.rank or 0.0))
    chosen = sorted((node for node in tree if node.choice is not None), key=lambda node: node.choice or 0)
    assert [node.choice for node in chosen] == list(range(len(chosen)))
    assert [node.rank for node in chosen] == [node.rank for node in best[: len(chosen)]]
    assert len(chosen) == min(n, len(finished))
    assert [node.text for node in chosen] == [texts[node.choice or 0] for node in chosen]
