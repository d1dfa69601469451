#!/usr/bin/env bash
# Builds and tests the presets one after the other and adds up what passed and failed.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev test [--preset PRESET]... [--lab[=full|quick|none]] [--json FILE] [--slow] [--filter REGEX]

Builds and tests with each preset (default: dev, clang, asan, tsan), and with dev the Python package. The
lab (crash, damage and fault runs and fuzzing) follows when all are built, with the program of dev, or of
the first preset when dev is not among them and --lab is given. The last line is 'N passed, N failed' over
all of it; a build or a lab run counts when it fails.

  --preset PRESET  only this preset; may be repeated
  --lab=quick      every row of the lab at a tenth (the default)
  --lab            every row whole, then rows 2, 8 and 11 at a tenth under the sanitizers, the formats on disk
                   under MemorySanitizer, and the line coverage of the decoders
  --lab=none       no lab
  --json FILE      write the lab's figures: rows of row, title, figures, wrong, passed, skipped, failures
  --slow           also the tests labelled slow or soak
  --filter REGEX   only the tests whose name matches; the lab is left out

examples:
  ./dev test
  ./dev test --preset dev --lab=none
  ./dev test --lab --json lab.json
  ./dev test --preset dev --filter DiskTier
TEXT
}

presets_chosen=() lab=quick lab_given=no json='' ctest_options=() excluded='^(slow|soak|gpu)$'
value_of() { [[ $# -ge 2 && -n $2 ]] || usage_error "$1 needs a value"; }
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --preset) value_of "$@" && presets_chosen+=("$2") && shift ;;
    --preset=*) presets_chosen+=("${1#*=}") ;;
    --lab) lab=full lab_given=yes ;;
    --lab=*) lab=${1#*=} lab_given=yes ;;
    --json) value_of "$@" && json=$2 && shift ;;
    --json=*) json=${1#*=} ;;
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
[[ -z $json || -n $lab_preset ]] || usage_error "--json is of the lab, which does not run"

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

tests_of=()  # "PRESET passed failed", for row 15
run_tests() {  # PRESET
  local report="build/$1/tests.xml" status=0 counts more_passed more_failed names
  rm -f "$report"
  ctest --test-dir "build/$1" --parallel "$(nproc)" --output-on-failure --no-tests=error \
    --label-exclude "$excluded" --output-junit "$PWD/$report" "${ctest_options[@]}" || status=$?
  counts=$(python3 tools/dev/count_tests.py "$report" "$status")
  read -r more_passed more_failed names <<<"$counts"
  passed=$((passed + more_passed))
  tests_of+=("$1 $more_passed $more_failed")
  [[ $more_failed -eq 0 ]] || note_failure "$more_failed" "$1: $more_failed tests: $names"
}

left_out=()
run_python() {
  local status=0
  tools/dev/python.sh || status=$?
  case $status in
    0) passed=$((passed + 1)) ;;
    3) left_out+=("the Python package: nanobind is on PyPI, which cannot be reached") ;;
    *) note_failure 1 "python: ./dev python" ;;
  esac
}

was_built() { [[ " ${presets_built[*]} " == *" $1 "* ]]; }

run_lab() {  # PRESET
  local program="build/$1/lab/terrace-lab" report="build/$1/lab.json"
  rm -f "$report"
  # Row 14 says what the fuzz programs of this tree find, and only those just built.
  local fuzz=build/not_built
  ! was_built asan || fuzz=build/asan/fuzz
  step "lab ($lab, $1)"
  if [[ ! -x $program ]]; then
    note_failure 1 "lab: $program is missing"
  elif "$program" run "--$lab" --fuzz "$fuzz" --json "$report"; then
    passed=$((passed + 1))
  else
    note_failure 1 "lab: terrace-lab run --$lab (figures: $report)"
  fi
}

# Rows 2, 8 and 11 at a tenth, under a sanitizer.
run_lab_sanitized() {  # PRESET
  local program="build/$1/lab/terrace-lab" rows=() row known
  rm -f "build/$1/lab.json"
  known=$("$program" rows)
  for row in 2 8 11; do
    ! grep -q "^row $row:" <<<"$known" || rows+=(--row "$row")
  done
  step "lab (${rows[*]}, $1)"
  if "$program" run --quick "${rows[@]}" --json "build/$1/lab.json" 2>&1 | tee "build/$1/lab.log"; then
    passed=$((passed + 1))
  else
    note_failure 1 "lab: $program run --quick ${rows[*]}"
  fi
}

# The decoders of what is on disk, over their corpora, in a build that knows which bytes were ever written.
run_formats_under_msan() {
  step "formats (msan)"
  rm -f build/msan/formats.log
  configure_and_build msan terrace-fuzz || { note_failure 1 "msan: build" && return; }
  local target
  while read -r target _; do
    build/msan/fuzz/terrace-fuzz --target="$target" "fuzz/corpus/$target" || echo "$target FAILED"
  done < <(build/msan/fuzz/terrace-fuzz --list) 2>&1 | tee build/msan/formats.log
  if grep -q 'FAILED' build/msan/formats.log; then
    note_failure 1 "msan: formats (build/msan/formats.log)"
  else
    passed=$((passed + 1))
  fi
}

presets_built=()
for preset in "${presets_chosen[@]}"; do
  step "build $preset"
  if ! configure_and_build "$preset"; then
    note_failure 1 "$preset: build"
    continue
  fi
  presets_built+=("$preset")
  step "test $preset"
  run_tests "$preset"
  [[ $preset != dev || ${#ctest_options[@]} -gt 0 ]] || run_python
done

if [[ -n $lab_preset ]] && was_built "$lab_preset"; then
  if [[ $lab == full ]] && was_built asan; then
    step "build coverage"
    configure_and_build coverage terrace-fuzz || note_failure 1 "coverage: build"
  fi
  run_lab "$lab_preset"
  if [[ $lab == full ]]; then
    for preset in asan tsan; do ! was_built "$preset" || run_lab_sanitized "$preset"; done
    run_formats_under_msan
  fi
  if [[ -n $json ]]; then
    python3 tools/dev/lab_report.py "build/$lab_preset/lab.json" "$json" "${tests_of[@]}" ||
      note_failure 1 "lab: no report in $json"
  fi
fi

say ""
for part in "${left_out[@]}"; do say "not tested: $part"; done
for failure in "${failures[@]}"; do say "failed: $failure"; done
say "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
