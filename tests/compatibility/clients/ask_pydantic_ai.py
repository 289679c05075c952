"""pydantic-ai asks an engine: URL, PICTURE (a data URL) → one line of JSON."""

import asyncio
import base64
import json
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Animal(BaseModel):
    name: str
    flies: bool


async def main(url: str, picture: str) -> None:
    provider = OpenAIProvider(base_url=f"{url}/v1", api_key="none")
    image = BinaryContent(base64.b64decode(picture.partition(",")[2]), media_type="image/png")
    found = {}
    for kind, model in (
        ("", OpenAIChatModel("pocket", provider=provider)),
        ("_responses", OpenAIResponsesModel("pocket", provider=provider)),
    ):
        agent = Agent(model, model_settings={"temperature": 0, "max_tokens": 60})
        found[f"text{kind}"] = (await agent.run("Hello!")).output
        async with agent.run_stream("Hello!") as said:
            found[f"stream{kind}"] = await said.get_output()
        found[f"picture{kind}"] = (await agent.run(["What colour is the circle?", image])).output
    model = OpenAIChatModel("pocket", provider=provider)
    kept = Agent(model, output_type=NativeOutput(Animal), model_settings={"temperature": 0, "max_tokens": 200})
    found["json"] = (await kept.run("Tell me of a goose.")).output.model_dump_json()
    sys.stdout.write(json.dumps(found) + "\n")


asyncio.run(main(*sys.argv[1:]))
