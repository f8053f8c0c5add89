#!/bin/sh
# Writes the lock files: all systems and Pythons in one file each, by hash, naming no index. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."

# uv reads neither pip's settings nor, with --no-config, its own; variables that name an index are taken away.
compile() {
    output=$1
    shift
    env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        .venv/bin/uv pip compile --no-config --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
        --output-file "deploy/$output" "$@" >/dev/null
    echo "deploy/$output: $(grep -c '==' "deploy/$output") packages"
}

rm -f deploy/requirements*.lock
# The largest first; the others are held to its versions.
compile requirements-dev.lock pyproject.toml --group dev
compile requirements.lock pyproject.toml --constraint deploy/requirements-dev.lock
compile requirements-build.lock --group build --constraint deploy/requirements-dev.lock
