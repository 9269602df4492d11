#!/bin/sh
# Makes .venv ready for use: scripts/environment.sh runtime|development. `make` calls it before it needs something.
#
# What is there is touched only when the locks have changed. An environment that cannot work is made anew: one of a
# Python that is gone or too old, one that came here with a copied folder, one whose installation was broken off.
set -eu
kind=$1
python=${PYTHON:-python3}
case $kind in runtime) lock=requirements.lock ;; *) lock=requirements-dev.lock ;; esac
stamp=.venv/.$kind

fail() {
    echo "$1" >&2
    exit 1
}

# Prints what tells one environment from another, and nothing if it is none to work with.
identity() {
    .venv/bin/python -c 'import sys, pip; assert sys.version_info >= (3, 11); print(*sys.version_info[:2], sys.prefix)' \
        2>/dev/null || true
}

check_python() {
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        fail "Passrail needs Python 3.11 or newer, and $python cannot be run: install it, or name another one, as in PYTHON=python3.12 make run."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Passrail needs Python 3.11 or newer, and $python is Python $version: install a newer one, or name it, as in PYTHON=python3.12 make run."
}

make_environment() {
    check_python
    rm -rf .venv
    "$python" -m venv .venv
}

install() {
    .venv/bin/python -m pip -qq --disable-pip-version-check install --require-hashes --requirement "$lock" &&
        .venv/bin/python -m pip -qq --disable-pip-version-check install --no-build-isolation --no-deps --editable .
}

found=$(identity)
# Stamps say for which environment they were set. One without words is of an earlier version of this script.
if [ -z "$found" ] || { [ -s "$stamp" ] && [ "$(cat "$stamp")" != "$found" ]; }; then
    [ ! -e .venv ] || echo "The environment in .venv does not work: it is made anew." >&2
    make_environment
elif [ -s "$stamp" ] && [ "$stamp" -nt "$lock" ] && [ "$stamp" -nt pyproject.toml ]; then
    exit 0
elif [ ! -e .venv/.runtime ] && ! install 2>/dev/null; then
    echo "The environment in .venv is not complete and cannot be mended: it is made anew." >&2
    make_environment
fi
install || fail "The packages of $lock could not be installed: pip says above why."
identity >"$stamp"
# What development needs includes what the service needs.
[ "$kind" = runtime ] || cp "$stamp" .venv/.runtime
