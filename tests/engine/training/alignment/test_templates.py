"""Another family's rows are the prompts that its engine writes, with the answers in their places and only those learned."""

from __future__ import annotations

from pathlib import Path

from engine.prompts.context import PictureTokens
from engine.training.alignment.dataset import Example, StoredPicture
from engine.training.alignment.features import Features
from engine.training.alignment.templates import RowWriter
from tests.engine.tiny import TinyModel


def test_a_chat_is_written_as_the_engine_writes_it() -> None:
    model = TinyModel()
    example = Example(1, "x", (StoredPicture(Path("cat.png")),), (("What?", "A cat."), ("Sure?", "Yes.")))
    row = RowWriter(model, 2, 160).write(example, [Features({}, 4, "something small")])
    texts = [("P" * len(run) if isinstance(run, PictureTokens) else model.tokenizer.decode(run)) for run in row.segments]
    start = "<|im_start|>system\nYou are tiny.<|im_end|>\n<|im_start|>user\n"
    assert "".join(texts) == (
        f"{start}PPPP\nsomething small\nWhat?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n"
        "<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\nYes."
    )
    learned = [token for token, counts in zip(row.ids, row.learned, strict=True) if counts]
    assert model.tokenizer.decode(learned) == "A cat.Yes."
    assert learned[-1] in model.tokenizer.eos_ids
