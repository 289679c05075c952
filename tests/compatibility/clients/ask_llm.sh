#!/usr/bin/env bash
# Simon Willison's llm asks an engine: URL, PICTURE (a file), LLM (the command) → its answers, a form feed after each.
set -euo pipefail
LLM_USER_PATH=$(mktemp -d)
export LLM_USER_PATH
printf -- '- model_id: gander\n  model_name: pocket\n  api_base: %s/v1\n  vision: true\n  api_key_name: none\n' "$1" > "$LLM_USER_PATH/extra-openai-models.yaml"
"$3" -m gander -o temperature 0 -o max_tokens 20 --no-stream --key none 'Hello!'; printf '\f'
"$3" -m gander -o temperature 0 -o max_tokens 20 --key none 'Hello!'; printf '\f'
"$3" -m gander -o temperature 0 -o max_tokens 20 --key none -a "$2" 'What colour is the circle?'; printf '\f'
