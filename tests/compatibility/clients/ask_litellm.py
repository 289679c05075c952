"""litellm asks an engine: URL, PICTURE (a data URL) → one line of JSON."""

import json
import sys

import litellm

url, picture = sys.argv[1:]
common = {"model": "openai/pocket", "api_base": f"{url}/v1", "api_key": "none", "max_tokens": 20, "temperature": 0}
hello = [{"role": "user", "content": "Hello!"}]
shown = [
    {
        "role": "user",
        "content": [{"type": "text", "text": "What colour is the circle?"}, {"type": "image_url", "image_url": {"url": picture}}],
    }
]
found = {
    "text": litellm.completion(messages=hello, **common).choices[0].message.content,
    "stream": "".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(messages=hello, stream=True, **common)),
    "picture": litellm.completion(messages=shown, **common).choices[0].message.content,
    "json": litellm.completion(messages=hello, response_format={"type": "json_object"}, **{**common, "max_tokens": 200})
    .choices[0]
    .message.content,
}
try:
    litellm.completion(messages=[{"role": "user", "content": "goose " * 20000}], **common)
except litellm.ContextWindowExceededError:
    found["full"] = True
sys.stdout.write(json.dumps(found) + "\n")
