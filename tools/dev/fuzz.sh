#!/usr/bin/env bash
# Builds the fuzz targets with sanitizers and searches with them, for as long as one likes.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev fuzz [--minutes N] [TARGET...]
       ./dev fuzz --coverage [--missed]
       ./dev fuzz --seeds | --list

Searches with each TARGET (default: all) from the corpus of fuzz/corpus/TARGET on, with AddressSanitizer and
UBSan. What it finds is kept in build/fuzz/corpus/TARGET and used again; an input that breaks something is
written to build/fuzz/, and the command that replays it is the last line.

  --minutes N  how long, each target (default 1)
  --coverage   print how many lines of the decoders the corpus and a short search reach (95 % are owed)
  --missed     with --coverage: also print the lines that were not reached
  --seeds      write the binary seeds anew, after a format has changed
  --list       print the targets

examples:
  ./dev fuzz record --minutes 60
  ./dev fuzz --coverage
TEXT
}

minutes=1 what=search chosen=() coverage_options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --minutes) [[ $# -ge 2 ]] || usage_error "--minutes needs a value" && minutes=$2 && shift ;;
    --minutes=*) minutes=${1#*=} ;;
    --coverage) what=coverage ;;
    --missed) coverage_options+=(--missed) ;;
    --seeds) what=seeds ;;
    --list) what=list ;;
    -*) usage_error "unknown option '$1'" ;;
    *) chosen+=("$1") ;;
  esac
  shift
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || usage_error "--minutes is a whole number from 1, not '$minutes'"

tools/dev/setup.sh --quiet build test
preset=asan
[[ $what != coverage ]] || preset=coverage
step "build $preset"
configure_and_build "$preset" terrace-fuzz || fail "preset '$preset' did not build"
program=build/$preset/fuzz/terrace-fuzz

case $what in
  list) exec "$program" --list ;;
  seeds) exec "$program" --seeds=fuzz/corpus ;;
  coverage)
    need_python
    exec python3 fuzz/coverage.py --program "$program" "${coverage_options[@]}"
    ;;
esac

known=$("$program" --list | cut -d' ' -f1)
[[ ${#chosen[@]} -gt 0 ]] || mapfile -t chosen <<<"$known"
for target in "${chosen[@]}"; do
  grep -qx -- "$target" <<<"$known" || usage_error "unknown target '$target'; one of: ${known//$'\n'/ }"
done
[[ ! -x /usr/bin/llvm-symbolizer-19 ]] || export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19
for target in "${chosen[@]}"; do
  step "fuzz $target, $minutes min"
  mkdir -p "build/fuzz/corpus/$target"
  "$program" --target="$target" -max_total_time=$((minutes * 60)) -print_final_stats=1 -rss_limit_mb=2048 \
    -malloc_limit_mb=512 -timeout=25 -dict="fuzz/dictionaries/$target.dict" \
    -artifact_prefix="build/fuzz/$target-" "build/fuzz/corpus/$target" "fuzz/corpus/$target" && continue
  newest=$(find build/fuzz -maxdepth 1 -name "$target-*" -printf '%T@ %p\n' | sort -n | tail -n 1)
  fail "$target failed; replay: $program --target=$target ${newest#* }"
done
