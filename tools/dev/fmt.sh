#!/usr/bin/env bash
# Formats the C++ code in place.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev fmt [FILE...]

Formats the given .h and .cc files, or all of the project, with clang-format 19.

examples:
  ./dev fmt
  ./dev fmt src/key/key.cc
TEXT
}

for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    *.h | *.cc) [[ -f $argument ]] || usage_error "no such file: $argument" ;;
    *) usage_error "not a .h or .cc file: $argument" ;;
  esac
done
tools/dev/setup.sh --quiet lint
if [[ $# -gt 0 ]]; then
  clang-format-19 -i "$@"
else
  python3 tools/lint/files.py --null .h .cc | xargs -0 -r clang-format-19 -i
fi
