#!/usr/bin/env bash
# Makes .venv with exactly the versions of constraints.txt: deploy/setup.sh EXTRAS, where EXTRAS is such as "engine,discord,telegram".
# Quick when nothing changed. Installs nothing outside .venv. Settings: PYTHON=… picks the interpreter, pip's own variables pick the index.
set -euo pipefail
cd "$(dirname "$0")/.."

extras=$1
torch=2.13.0
venv=.venv
stamp=$venv/.gander-ready

step() { printf '\n[%s/4] %s\n' "$1" "$2"; }
trap 'printf "\nSet-up stopped. The same command goes on where it was.\n" >&2; exit 130' INT
fail() { printf '\nSet-up stopped: %s\n' "$1" >&2; exit 1; }

suits() { command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; }

find_python() {
    local python
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        suits "$python" && { echo "$python"; return; }
    done
    fail "Python 3.11 to 3.14 is needed and was not found. Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13), or name one: PYTHON=/path/to/python make …"
}

need_disk() {  # need_disk MEGABYTES
    local free
    free=$(df -Pm . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$1" ] || fail "$1 MB of free disk are needed in $PWD, and $free MB are there. Free some, or move the folder."
}

has_nvidia_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; }

pip() { "$venv/bin/python" -m pip "$@"; }

install() {
    pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@" ||
        fail "pip could not install: $*. Its last lines say why; without a network, check the proxy and mirror settings (pip config list)."
}

has_build() { pip install --quiet --dry-run --no-deps --ignore-installed "$1" >/dev/null 2>&1; }

has_torch() { "$venv/bin/python" -c "import sys, torch; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; }

install_torch() {
    if has_nvidia_gpu; then
        need_disk 9000
        echo "An NVIDIA GPU was found: fetching torch $torch with CUDA, about 2.7 GB (7 GB on disk). This is the long step."
        install "torch===$torch"
    elif has_build "torch==$torch+cpu"; then
        need_disk 3000
        echo "No NVIDIA GPU: fetching the CPU build of torch $torch, about 200 MB."
        install "torch==$torch+cpu"
    elif [ "$(uname -s)" = Darwin ]; then
        need_disk 3000
        echo "macOS: fetching torch $torch, about 100 MB."
        install "torch==$torch"
    else
        need_disk 9000
        echo "No NVIDIA GPU, and no configured index has a CPU build of torch (PyTorch's own CPU index, set as PIP_EXTRA_INDEX_URL, has one of 200 MB)."
        echo "Fetching the plain build, about 2.7 GB (7 GB on disk): it works without a GPU too. Ctrl-C stops."
        install "torch==$torch"
    fi
}

wanted=$(cat pyproject.toml constraints.txt deploy/setup.sh <(echo "$extras $PWD") | cksum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

step 1 "Python and a virtual environment of Gander's own in $PWD/$venv"
if ! suits "$venv/bin/python"; then
    python=$(find_python)
    "$python" -m venv --clear "$venv" >/dev/null ||
        fail "$python can't make virtual environments. Debian, Ubuntu: apt install python3-venv; Fedora: dnf install python3-pip."
fi
"$venv/bin/python" --version

step 2 "torch, which runs the model"
if has_torch; then echo "already there"; else install_torch; fi

step 3 "Gander's libraries ($extras), about $([[ $extras == *dev* ]] && echo "400 MB, 190 of them Triton, which tests the GPU's kernels" || echo "210 MB")"
need_disk 2000
install --editable ".[$extras]"

step 4 "A look over the result"
pip check --disable-pip-version-check
"$venv/bin/gander" --version
echo "$wanted" >"$stamp"
