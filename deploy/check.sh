#!/bin/sh
# Every check that is not a test, all of them even when an early one fails. Run by `make check`.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=''

step() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name"
}

step lint "$bin/ruff" check --quiet .
step format "$bin/ruff" format --quiet --check .
step types "$bin/mypy"
step layers "$bin/lint-imports" --no-logo
step size "$bin/python" deploy/check_size.py
step tree "$bin/python" deploy/check_tree.py
for script in docs/*.py; do
    step "$script" "$bin/python" "$script" --check
done

[ -z "$failed" ] || {
    echo "check failed:$failed" >&2
    exit 1
}
