#!/bin/sh
# Makes .venv beside this file with onnxdissect in it. The argument names an extra: test, dev or train.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$python" ] || continue
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$python"
            return
        fi
    done
    say "setup: no Python 3.11 or newer was found; name one with PYTHON=/path/to/python3"
    exit 1
}

make_environment() {
    [ -x .venv/bin/pip ] && return
    rm -rf .venv
    "$1" -m venv .venv >/dev/null 2>&1 && return
    # Debian and Ubuntu leave venv out of their python3 package.
    package="python3-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "setup: $1 has no venv module, installing the package $package"
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$package" >&2
        rm -rf .venv
        "$1" -m venv .venv
    else
        rm -rf .venv
        say "setup: $1 cannot make a virtual environment; try: sudo apt-get install $package"
        exit 1
    fi
}

install_package() {
    .venv/bin/pip install --quiet --disable-pip-version-check --editable ".${1:+[$1]}"
    # The opencv-python wheel needs libGL, which bare servers lack; the headless one is the same without windows.
    if ! .venv/bin/python -c 'import cv2' 2>/dev/null; then
        say "setup: opencv-python does not load here (no libGL), taking opencv-python-headless instead"
        version=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("opencv-python"))')
        # Both write the same folder: taking one away takes files of the other along.
        .venv/bin/pip uninstall --quiet --yes opencv-python opencv-python-headless 2>/dev/null
        .venv/bin/pip install --quiet --disable-pip-version-check --no-deps "opencv-python-headless==$version"
    fi
}

# pip compiles what it copies, and of an editable package copies nothing.
compile_sources() {
    .venv/bin/python -m compileall -q onnxdissect ||
        say "setup: some sources were not compiled ahead; they are compiled when they are used"
}

python=$(find_python)
make_environment "$python"
install_package "${1:-}"
compile_sources
