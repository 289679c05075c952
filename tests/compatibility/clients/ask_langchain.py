"""langchain asks an engine: URL, PICTURE (a data URL) → one line of JSON."""

import json
import sys

from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Animal(BaseModel):
    name: str
    flies: bool


url, picture = sys.argv[1:]
found = {}
for kind, responses in (("", False), ("_responses", True)):
    model = ChatOpenAI(model="pocket", base_url=f"{url}/v1", api_key="none", temperature=0, max_tokens=60, use_responses_api=responses)
    shown = HumanMessage([{"type": "text", "text": "What colour is the circle?"}, {"type": "image_url", "image_url": {"url": picture}}])
    found[f"text{kind}"] = model.invoke("Hello!").text
    found[f"stream{kind}"] = "".join(chunk.text for chunk in model.stream("Hello!"))
    found[f"picture{kind}"] = model.invoke([shown]).text
model = ChatOpenAI(model="pocket", base_url=f"{url}/v1", api_key="none", temperature=0, max_tokens=200, max_retries=0)
found["json"] = model.with_structured_output(Animal, method="json_schema").invoke("Tell me of a goose.").model_dump_json()
try:
    model.invoke("goose " * 20000)
except ContextOverflowError:
    found["full"] = True
sys.stdout.write(json.dumps(found) + "\n")
