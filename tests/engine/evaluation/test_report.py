"""The table and the JSON of an evaluation say the same."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from engine.evaluation.interval import wilson
from engine.evaluation.report import as_json, failures, table
from engine.evaluation.run import Result
from tests.engine.evaluation.test_run import CATS, evaluate, says


def test_the_table_and_the_json_say_the_same(tmp_path: Path) -> None:
    result = evaluate(tmp_path, says("a cat", "Yes.")).run(CATS)
    text = shown([result])
    low, high = wilson(8, 16)
    assert "0.500" in text
    assert f"{low:.2f} … {high:.2f}" in text
    assert "missed" in text
    line = json.loads(as_json([result], "pocket", "int8", 1.0))["results"][0]
    assert (line["share"], line["n"], line["met"]) == (0.5, 16, False)
    assert failures([result]).count("\n") == 8


def shown(results: list[Result]) -> str:
    text = StringIO()
    Console(file=text, width=300).print(table(results))
    return text.getvalue()
