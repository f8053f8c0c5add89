#!/bin/sh
# Finds a Python that can run Parley and hands over to install.py; where there is none, says in one line what to do.
# Usage: setup.sh [dev]. PYTHON=... names the interpreter to use.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf 'parley: %s\n' "$1" >&2
    exit 1
}

case "$(uname -s)" in
    CYGWIN* | MINGW* | MSYS*) fail "Windows itself has no Valkey; install WSL (wsl --install), run this in it." ;;
esac

# The second start must be at once: one small process answers whether anything changed.
if [ -x .venv/bin/python ] && .venv/bin/python -I deploy/install.py --is-current "$@" </dev/null 2>/dev/null; then
    exit 0
fi

# Any Python from 2.7 on understands this; it prints "<verdict> <version>".
probe='
import sys
version = "%d.%d" % sys.version_info[:2]
if sys.version_info < (3, 11):
    print("old " + version)
elif sys.version_info >= (3, 16):
    print("new " + version)
else:
    import sysconfig
    try:
        import ensurepip, venv
        verdict = "ok"
    except ImportError:
        verdict = "novenv"
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        verdict = "other"
    print(verdict + " " + version)
'
old='' new='' novenv='' other=''

# Runs install.py (and ends) where the interpreter suits; otherwise notes why it does not.
consider() {
    answer=$("$1" -c "$probe" </dev/null 2>/dev/null) || return 0
    case "$answer" in
        ok*) exec "$1" -I deploy/install.py "$mode" </dev/null ;;
        old*) old=${old:-${answer#old }} ;;
        new*) new=${new:-${answer#new }} ;;
        novenv*) novenv=${novenv:-${answer#novenv }} ;;
        other*) other=${other:-${answer#other }} ;;
    esac
}

mode=${1:-run}
if [ -n "${PYTHON:-}" ]; then
    consider "$PYTHON"
else
    for name in python3 python3.15 python3.14 python3.13 python3.12 python3.11 python; do
        consider "$name"
    done
    # Interpreters that pyenv and uv keep off the PATH.
    pyenv=${PYENV_ROOT:-${HOME:-}/.pyenv}
    for path in "$pyenv"/versions/3.*/bin/python3 "${HOME:-}"/.local/share/uv/python/*/bin/python3; do
        consider "$path"
    done
fi

get='install Python 3.11 or newer (Debian, Ubuntu: apt install python3.11-venv; macOS: brew install python)'
if [ -n "$novenv" ]; then
    fail "Python $novenv has no venv module; install it (Debian, Ubuntu: apt install python$novenv-venv) and try again."
elif [ -n "$old" ]; then
    fail "Python $old is too old; $get and try again."
elif [ -n "$new" ]; then
    fail "Python $new is newer than the locked packages; install Python 3.15 or older beside it and try again."
elif [ -n "$other" ]; then
    fail "this build of Python $other cannot run Parley, only the standard CPython can; $get and try again."
fi
fail "no Python was found; $get and try again."
