#!/usr/bin/env bash
# Builds and tests the presets one after the other and adds up what passed and failed.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev test [--preset PRESET]... [--lab=quick|full|none] [--slow] [--filter REGEX]

Builds and tests with each preset (default: dev, clang, asan, tsan). The lab (crash, damage and fault
runs) follows the tests of dev, or of the first preset when dev is not among them and --lab is given.
The last line is 'N passed, N failed' over all of it; a build or a lab run counts when it fails.

  --preset PRESET  only this preset; may be repeated
  --lab=KIND       quick (the default), full or none
  --slow           also the tests labelled slow or soak
  --filter REGEX   only the tests whose name matches; the lab is left out

examples:
  ./dev test
  ./dev test --preset dev --lab=none
  ./dev test --preset asan --preset tsan
  ./dev test --preset dev --filter DiskTier
TEXT
}

presets_chosen=() lab=quick lab_given=no ctest_options=() excluded='^(slow|soak|gpu)$'
value_of() { [[ $# -ge 2 && -n $2 ]] || usage_error "$1 needs a value"; }
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --preset) value_of "$@" && presets_chosen+=("$2") && shift ;;
    --preset=*) presets_chosen+=("${1#*=}") ;;
    --lab) lab=quick lab_given=yes ;;
    --lab=*) lab=${1#*=} lab_given=yes ;;
    --slow) excluded='^gpu$' ;;
    --filter) value_of "$@" && ctest_options+=(-R "$2") && shift ;;
    --filter=*) ctest_options+=(-R "${1#*=}") ;;
    *) usage_error "unknown argument '$1'" ;;
  esac
  shift
done
[[ $lab =~ ^(quick|full|none)$ ]] || usage_error "--lab is quick, full or none, not '$lab'"
[[ ${#presets_chosen[@]} -gt 0 ]] || presets_chosen=(dev clang asan tsan)
for preset in "${presets_chosen[@]}"; do
  check_preset "$preset"
  [[ $preset =~ ^(dev|clang|asan|tsan)$ ]] ||
    usage_error "preset '$preset' builds no tests; dev, clang, asan and tsan do"
done

lab_preset=
[[ $lab_given == no ]] || lab_preset=${presets_chosen[0]}
for preset in "${presets_chosen[@]}"; do [[ $preset != dev ]] || lab_preset=dev; done
[[ $lab != none && ${#ctest_options[@]} -eq 0 ]] || lab_preset=

tools/dev/setup.sh --quiet build test
need_python
export ASAN_OPTIONS=${ASAN_OPTIONS-strict_string_checks=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS-second_deadlock_stack=1}
if [[ -x /usr/bin/llvm-symbolizer-19 ]]; then
  export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19 TSAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19
fi

passed=0 failed=0 failures=()
note_failure() { failed=$((failed + $1)) && failures+=("$2"); }

run_tests() {  # PRESET
  local report="build/$1/tests.xml" status=0 counts more_passed more_failed
  rm -f "$report"
  ctest --test-dir "build/$1" --parallel "$(nproc)" --output-on-failure --no-tests=error \
    --label-exclude "$excluded" --output-junit "$PWD/$report" "${ctest_options[@]}" || status=$?
  counts=$(python3 tools/dev/count_tests.py "$report" "$status")
  read -r more_passed more_failed <<<"$counts"
  passed=$((passed + more_passed))
  [[ $more_failed -eq 0 ]] || note_failure "$more_failed" "$1: tests ($more_failed)"
}

run_lab() {  # PRESET
  local program="build/$1/lab/terrace-lab" report="build/$1/lab.json"
  step "lab ($lab, $1)"
  if [[ ! -x $program ]]; then
    note_failure 1 "lab: $program is missing"
  elif "$program" run "--$lab" --json "$report"; then
    passed=$((passed + 1))
  else
    note_failure 1 "lab: terrace-lab run --$lab (figures: $report)"
  fi
}

for preset in "${presets_chosen[@]}"; do
  step "build $preset"
  if ! configure_and_build "$preset"; then
    note_failure 1 "$preset: build"
    continue
  fi
  step "test $preset"
  run_tests "$preset"
  [[ $preset != "$lab_preset" ]] || run_lab "$preset"
done

say ""
for failure in "${failures[@]}"; do say "failed: $failure"; done
say "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
