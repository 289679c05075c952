#!/usr/bin/env bash
# Installs other people's clients of OpenAI's API into build/clients (GANDER_CLIENTS): an environment of their own, of Python and of Node.
set -euo pipefail
cd "$(dirname "$0")/.."
clients=${GANDER_CLIENTS:-build/clients}
mkdir -p "$clients/node"
[ -x "$clients/venv/bin/python" ] || .venv/bin/python -m venv "$clients/venv"
"$clients/venv/bin/python" -m pip install --quiet --disable-pip-version-check openai llm litellm langchain-openai 'pydantic-ai-slim[openai]'
npm install --silent --no-fund --no-audit --prefix "$clients/node" openai ai @ai-sdk/openai-compatible
