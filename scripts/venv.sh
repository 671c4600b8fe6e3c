#!/bin/sh
# Makes virtual environments inside the clone, from whatever Python >= 3.11 the machine has.
#
#   scripts/venv.sh test          .venv with payport (editable) and what the tests need
#   scripts/venv.sh check         .venv with the linters and type checkers as well
#   scripts/venv.sh create DIR    DIR with nothing but a pip that knows dependency groups
#
# PYTHON=/path/to/python chooses the interpreter. Nothing outside the clone is written, and a
# .venv that is up to date is left as it is.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    # A command that exists may still refuse to run (version managers leave such shims), so ask it.
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        elif [ "$candidate" = "${PYTHON:-}" ]; then
            echo "PYTHON=$PYTHON does not run or is older than Python 3.11." >&2
            return 1
        fi
    done
    echo "payport needs Python 3.11 or newer, and none was found on PATH." >&2
    echo "Install one, or name it: make test PYTHON=/path/to/python3.11" >&2
    return 1
}

create() {
    python=$(find_python)
    # Some distributions ship pip but not ensurepip: then the system's pip fills the environment.
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv --clear "$1"
    else
        "$python" -m venv --clear --without-pip "$1"
        "$python" -m pip --python "$1/bin/python" install -qq -c constraints.txt pip
    fi
    "$1/bin/python" -m pip install -qq --upgrade -c constraints.txt pip
}

ensure() {
    place=$(pwd)
    key=$(cat pyproject.toml constraints.txt scripts/venv.sh | cksum)
    stamp=.venv/.payport-$1
    # A clone that moved has scripts pointing at its old place: that .venv is made anew.
    if ! .venv/bin/python -c '' 2>/dev/null ||
        [ "$(cat .venv/.payport-place 2>/dev/null || echo "$place")" != "$place" ]; then
        echo "Making .venv ..."
        create .venv
    fi
    echo "$place" >.venv/.payport-place
    [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0
    case $1 in
        test) groups="--group test" ;;
        check) groups="--group dev" ;;
    esac
    echo "Installing into .venv ..."
    # shellcheck disable=SC2086  # two words by intent
    .venv/bin/python -m pip install -qq -c constraints.txt -e '.[sql]' $groups
    echo "$key" >"$stamp"
    [ "$1" = test ] || echo "$key" >.venv/.payport-test  # what checks, tests as well
}

case ${1:-} in
    test | check) ensure "$1" ;;
    create) create "${2:?the directory to make}" ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
