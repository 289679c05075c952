#!/usr/bin/env bash
# Makes .venv with exactly the versions of constraints.txt: deploy/setup.sh EXTRAS, where EXTRAS is such as "engine,discord,telegram".
# Quick when nothing changed. Installs nothing outside .venv. Settings: PYTHON=… picks the interpreter, pip's own variables pick the index.
set -euo pipefail
cd "$(dirname "$0")/.."

extras=$1
torch=2.13.0
venv=.venv
stamp=$venv/.gander-ready

columns=${COLUMNS:-$(tput cols 2>/dev/null || echo 80)}
# Lines end between words; a longer word, which is a path or a command to copy, stays whole.
say() {
    printf '%s\n' "$1" | awk -v width="$columns" '{
        line = $1
        for (i = 2; i <= NF; i++) if (length(line " " $i) > width) { print line; line = $i } else line = line " " $i
        print line
    }'
}
step() { printf '\n'; say "[$1/4] $2"; }
trap 'printf "\n"; say "Set-up stopped. The same command goes on where it was." >&2; exit 130' INT
fail() { printf '\n' >&2; say "Set-up stopped: $1" >&2; exit 1; }

suits() { command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(not (3, 11, 0, "final") <= sys.version_info < (3, 15))' 2>/dev/null; }

find_python() {
    local python
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        suits "$python" && { echo "$python"; return; }
    done
    local found
    found=$(found_python)
    fail "Python 3.11 to 3.14 is needed, and ${found:-none was found}. On this system: $(how_to_install). Or name one that you have: PYTHON=/path/to/python make …"
}

found_python() {  # what is there, and does not suit
    local python version
    for python in ${PYTHON:-python3}; do
        version=$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        echo "$(command -v "$python") is $version"
        return
    done
}

# A line that works on this distribution, where its own python3 is too old or missing.
how_to_install() {
    local ID="" ID_LIKE="" VERSION_ID="" newer="python3.12"
    if [ "$(uname -s)" = Darwin ]; then echo "brew install python@3.13"; return; fi
    if [ -r "${OS_RELEASE:-/etc/os-release}" ]; then . "${OS_RELEASE:-/etc/os-release}"; fi
    case "$ID:$VERSION_ID" in
        ubuntu:22.04)
            # PPA of deadsnakes: Ubuntu's own python3.11 there is the release candidate.
            echo "sudo apt install software-properties-common && sudo add-apt-repository -y ppa:deadsnakes/ppa && sudo apt install $newer $newer-venv" ;;
        ubuntu:20.04 | debian:10 | debian:11 | raspbian:10 | raspbian:11)
            echo "no package of it is new enough; uv fetches one (https://docs.astral.sh/uv): uv python install 3.13 && PYTHON=\$(uv python find 3.13) make demo" ;;
        fedora:*) echo "sudo dnf install python3.13" ;;
        amzn:* | rhel:* | rocky:* | almalinux:* | centos:* | ol:*) echo "sudo dnf install $newer" ;;
        opensuse-leap:* | sles:*) echo "sudo zypper install python312" ;;
        opensuse-tumbleweed:*) echo "sudo zypper install python313" ;;
        arch:* | manjaro:*) echo "sudo pacman -S python" ;;
        alpine:*) echo "torch is not made for Alpine (musl): use a distribution with glibc, or deploy/Dockerfile" ;;
        *)
            case " $ID $ID_LIKE " in
                *\ debian\ * | *\ ubuntu\ *) echo "sudo apt install python3 python3-venv" ;;
                *\ fedora\ * | *\ rhel\ *) echo "sudo dnf install python3" ;;
                *) echo "your system's package manager, or uv (https://docs.astral.sh/uv): uv python install 3.13" ;;
            esac ;;
    esac
}

need_disk() {  # need_disk MEGABYTES
    local free
    free=$(df -Pm . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$1" ] || fail "$1 MB of free disk are needed in $PWD, and $free MB are there. Free some, or move the folder."
}

has_nvidia_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; }

pip() { "$venv/bin/python" -m pip "$@"; }

# pip's warnings are kept for when it fails; that a network makes it wait is said at once.
complaints() { grep --line-buffered -v 'is ignored: it is neither' | tee "$venv/pip.log" | grep --line-buffered Retrying >&2 || true; }

# pip's own bar is for terminals alone; its figures are for everybody, since 24.1. An older one says what it fetches, and no more.
install() {
    local bar=()
    if "$venv/bin/python" -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (24, 1))'; then bar=(--progress-bar raw); fi
    pip install --disable-pip-version-check --no-input ${bar[@]+"${bar[@]}"} --constraint constraints.txt "$@" 2> >(complaints) |
        "$venv/bin/python" -u deploy/fetching.py || {
        tail -n 15 "$venv/pip.log" >&2
        fail "pip could not install: $*. Its last lines say why; without a network, check the proxy and mirror settings (pip config list)."
    }
}

has_build() { pip install --quiet --dry-run --no-deps --ignore-installed "$1" >/dev/null 2>&1; }

has_torch() { "$venv/bin/python" -c "import sys, torch; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; }

install_torch() {
    if has_nvidia_gpu; then
        need_disk 9000
        say "An NVIDIA GPU was found: fetching torch $torch with CUDA, about 2.7 GB (7 GB on disk). This is the long step."
        install "torch===$torch"
    elif has_build "torch==$torch+cpu"; then
        need_disk 3000
        say "No NVIDIA GPU: fetching the CPU build of torch $torch, about 200 MB."
        install "torch==$torch+cpu"
    elif [ "$(uname -s)" = Darwin ]; then
        need_disk 3000
        say "macOS: fetching torch $torch, about 100 MB."
        install "torch==$torch"
    else
        need_disk 9000
        say "No NVIDIA GPU, and no configured index has a CPU build of torch (PyTorch's own CPU index, set as PIP_EXTRA_INDEX_URL, has one of 200 MB)."
        say "Fetching the plain build, about 2.7 GB (7 GB on disk): it works without a GPU too. Ctrl-C stops."
        install "torch==$torch"
    fi
}

wanted=$(cat pyproject.toml constraints.txt deploy/setup.sh <(echo "$extras $PWD") | cksum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

step 1 "Python and a virtual environment of Gander's own in $PWD/$venv"
if ! suits "$venv/bin/python"; then
    python=$(find_python)
    "$python" -m venv --clear "$venv" >/dev/null ||
        fail "$python can't make virtual environments. Debian, Ubuntu: sudo apt install python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv; Fedora: sudo dnf install python3-pip."
fi
"$venv/bin/python" --version
# Best effort: what an old pip lacks are the figures of what is fetched.
pip install --quiet --disable-pip-version-check --upgrade "pip>=24.1" 2>/dev/null || true

step 2 "torch, which runs the model"
if has_torch; then echo "already there"; else install_torch; fi

step 3 "Gander's libraries ($extras), about $([[ $extras == *dev* ]] && echo "560 MB, 190 of them Triton, which tests the GPU's kernels" || echo "370 MB, 120 of them what reads writing in pictures, 36 what opens films")"
need_disk 2000
install --editable ".[$extras]"

step 4 "A look over the result"
pip check --disable-pip-version-check
"$venv/bin/gander" --version
echo "$wanted" >"$stamp"
