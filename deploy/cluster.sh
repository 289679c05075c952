#!/usr/bin/env bash
# Installs Ray into build/cluster (GANDER_CLUSTER): an environment of its own on top of .venv, whose packages it sees.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=${GANDER_CLUSTER:-build/cluster}
[ -x "$cluster/venv/bin/python" ] || .venv/bin/python -m venv "$cluster/venv"
packages=$("$cluster/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" "$PWD" > "$packages/gander.pth"
"$cluster/venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt 'ray[serve]'
