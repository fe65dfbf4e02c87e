# Shared by script/run and script/test: the environment in .venv, made from the lock files and only from them.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"

# Many processes import the same files: compiled once, and kept out of the sources.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$root/.venv/pycache"

say() {
    printf '==> %s\n' "$*"
}

give_up() {
    printf '\n%s: %s\n' "$0" "$*" >&2
    exit 1
}

# An account without a home has nowhere to keep downloads.
[ -w "${HOME:-/nonexistent}" ] || export UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1

find_python() {
    for python in ${HITCHPOST_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return
        fi
    done
    give_up 'Python 3.11 or newer, with venv, is needed and was not found.
Install it (Debian: apt-get install python3 python3-venv), or name one: HITCHPOST_PYTHON=/path/to/python3'
}

# The stamp names all that the environment was made from; it is written last, so half an environment has none.
stamp_of() {
    printf '%s\n' "$root"
    cat requirements-setup.lock "$1"
}

is_ready() {
    stamp_of "$1" | cmp -s - ".venv/made-from-$1" && .venv/bin/python -c '' 2>/dev/null
}

make_venv() {
    find_python
    say "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || give_up "$python could not make .venv"
}

pip() {
    .venv/bin/python -m pip --disable-pip-version-check -qq "$@"
}

# uv is quick, but does not read pip's configuration: where that is what reaches an index, pip itself takes over.
install_locked() {
    say "Installing the packages of $1, each checked by its hash"
    pip install --require-hashes --requirement requirements-setup.lock ||
        give_up 'The first packages could not be installed: is a package index within reach of pip?'
    .venv/bin/uv pip sync -qq --system-certs --require-hashes --python .venv/bin/python requirements-setup.lock "$1" ||
        { say 'uv could not; pip tries, more slowly' && pip install --require-hashes --requirement "$1"; } ||
        give_up "The packages of $1 could not be installed; the reason stands above. It is safe to try again."
    pip install --no-deps --no-build-isolation --no-index --editable . ||
        give_up 'The checkout could not be joined to .venv'
}

# environment LOCK [LARGER-LOCK]: .venv holds what LOCK names, or what LARGER-LOCK, which includes it, does.
environment() {
    if is_ready "$1" || { [ $# -gt 1 ] && is_ready "$2"; }; then
        return
    fi
    [ -f "$1" ] || give_up "$1 is missing: run this from a whole checkout"
    .venv/bin/python -c '' 2>/dev/null && [ "$(cat .venv/made-in 2>/dev/null)" = "$root" ] || make_venv
    rm -f .venv/made-from-*
    printf '%s\n' "$root" >.venv/made-in
    install_locked "$1"
    stamp_of "$1" >".venv/made-from-$1"
}
