"""Asks a model to write the program for a question."""

from __future__ import annotations

import json
import re
from typing import Final

from bot.steps.language import SCHEMA, Program, ProgramError, parse
from engine.api import ChatRequest, Message, ResponseFormat

MOST_TOKENS: Final = 300
TASK: Final = """\
Write a short program that answers a question about a picture that you can't see yet. One call a line, each result has a name:
things = find(picture, "red cars")       what is found, and where
number = count(things)                   how many were found
result = exists(things)                  whether any was found
place = where(things)                    where it stands
part = crop(picture, "upper left")       a part: upper, middle or lower with left, middle or right; left, right, top, bottom
part = crop(things)                      the part where most of them stand
words = read(part)                       what is written there
said = ask(part, "What colour is it?")   what a model says of that part
result = compare(one, "left of", other)  also: right of, above, below, more than, fewer than, as many as
Use no other functions. Use as few lines as you can.

Question: Are there more dogs than cats?
{"program": ["dogs = find(picture, \\"dogs\\")",
"cats = find(picture, \\"cats\\")", "result = compare(dogs, \\"more than\\", cats)"], "answer": "result"}

Question: What does the sign on the left say?
{"program": ["part = crop(picture, \\"left\\")", "signs = find(part, \\"signs\\")", "words = read(signs)"], "answer": "words"}

Question: """


def program_request(question: str) -> ChatRequest:
    """What the model is asked. A server that keeps to no schema is asked all the same."""
    return ChatRequest(
        messages=(Message(role="user", content=f"{TASK}{question}\n"),),
        temperature=0.0,
        max_tokens=MOST_TOKENS,
        stream=True,
        response_format=ResponseFormat(type="json_schema", json_schema={"name": "program", "schema": SCHEMA}),
    )


def read_program(text: str) -> Program:
    """The program that a model wrote: as JSON, or in lines. Raises ProgramError."""
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        said = json.loads(found[0]) if found else None
    except ValueError:
        said = None
    if not (isinstance(said, dict) and isinstance(said.get("program"), list) and isinstance(said.get("answer"), str)):
        lines = [line for line in text.splitlines() if re.match(r"\s*(?:\w+\s*=\s*[a-z]+\(|answer\()", line)]
        return parse("\n".join(lines))
    if not all(isinstance(line, str) for line in said["program"]):
        raise ProgramError("A program's lines are texts.")
    return parse("\n".join([*said["program"], f"answer({said['answer']})"]))
