#!/usr/bin/env bash
# Runs every check that needs no build. All of them run, whatever fails before.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev lint [CHECK...]

Runs the checks that need no build, all of them by default:

  format   clang-format 19 over .h and .cc (./dev fmt repairs)
  layers   an include may only point down the layers, and only at a layer named in DEPS
  rules    docs/semantics.md names tests that are there and cite the rule
  tidy     lengths, banned names, leftovers, machine paths, download hosts
  shell    shellcheck
  python   every Python file compiles
  self     the lint tools' own tests

examples:
  ./dev lint
  ./dev lint format layers
TEXT
}

checks_all=(self format layers rules tidy shell python)
checks=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    self | format | layers | rules | tidy | shell | python) checks+=("$argument") ;;
    *) usage_error "unknown check '$argument'; one of: ${checks_all[*]}" ;;
  esac
done
[[ ${#checks[@]} -gt 0 ]] || checks=("${checks_all[@]}")

tools/dev/setup.sh --quiet lint
need_python
export PYTHONPYCACHEPREFIX=build/pycache

list() { python3 tools/lint/files.py --null "$@"; }

check_self() {
  local output
  output=$(python3 -m unittest tools/lint/lint_test.py 2>&1) || { say "$output" && return 1; }
}

# One line for each place, as compilers write it; what it should be is for ./dev fmt to say.
check_format() {
  list .h .cc | xargs -0 -r clang-format-19 --dry-run -Werror 2>&1 |
    { grep ': error: ' || true; } | sed -E 's/:[0-9]+: error: .*/: not formatted (.\/dev fmt)/' | sort -u
}
check_layers() { python3 tools/lint/layers.py; }
check_rules() { python3 tools/lint/rules.py; }
check_tidy() { python3 tools/lint/tidy.py; }
check_shell() { list --shebang sh .sh .bash | xargs -0 -r shellcheck -x -P SCRIPTDIR -P .; }
check_python() { list --shebang python .py | xargs -0 -r python3 -m py_compile; }

failed=()
for check in "${checks[@]}"; do
  if "check_$check"; then
    say "lint: $check ok"
  else
    say "lint: $check FAILED"
    failed+=("$check")
  fi
done
[[ ${#failed[@]} -eq 0 ]] || fail "failed: ${failed[*]}"
