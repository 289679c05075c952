"""An engine for crash and load tests: the real wire at a set speed, and answers that tell what it was shown.

`python -m tests.end_to_end.stand_in_engine PORT [ROWS [SECONDS_PER_WORD]]`; it says the port that it took (0: a free one).
To the n-th question of a branch it answers "Answer n to …", so that an answer made out of order, or without the ones
before it, shows.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

from adapters.bench.stand_in_engine import serve
from engine.api import ChatRequest

ROWS, SECONDS_PER_WORD = 8, 0.02


def answer(request: ChatRequest) -> Iterator[str]:
    answers = sum(message.role == "assistant" for message in request.messages)
    content = request.messages[-1].content
    question = content if isinstance(content, str) else " ".join(part.text for part in content if part.type == "text")
    return iter(f"Answer {answers + 1} to {question} with a few words more that make it take a little while".split(" "))


if __name__ == "__main__":
    port, rows, pace = (*sys.argv[1:], *(str(each) for each in (ROWS, SECONDS_PER_WORD)[len(sys.argv) - 2 :]))
    asyncio.run(serve(answer, int(port), int(rows), float(pace)))
