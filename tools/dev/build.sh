#!/usr/bin/env bash
# Configures and builds one preset, and says where the programs are.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev build [PRESET]

Configures and builds PRESET into build/PRESET (default: release).

  release  what users run             demo   release with the llama.cpp integration
  dev      g++ 12, tests              bench  release with the benchmarks
  clang    clang 19, headers alone    asan   AddressSanitizer and UBSan
  coverage, msan  of the fuzz targets  tsan   ThreadSanitizer

examples:
  ./dev build
  ./dev build clang
TEXT
}

preset=
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    -*) usage_error "unknown option '$argument'" ;;
    *)
      [[ -z $preset ]] || usage_error "one preset at a time; '$argument' is the second"
      preset=$argument
      ;;
  esac
done
preset=${preset:-release}
check_preset "$preset"

case $preset in
  release) groups=(build) ;;
  demo) groups=(build demo) ;;
  bench) groups=(build bench) ;;
  *) groups=(build test) ;;
esac
tools/dev/setup.sh --quiet "${groups[@]}"

[[ $preset != demo ]] || integrations/llama_cpp/fetch.sh --only llama

step "build $preset"
configure_and_build "$preset" || fail "preset '$preset' did not build"

programs=$(find "build/$preset" -name CMakeFiles -prune -o -name _deps -prune -o \
  -type f -name 'terrace*' -perm -u+x ! -name '*.so*' -print | sort)
[[ -z $programs ]] || printf '\nprograms:\n  %s\n' "${programs//$'\n'/$'\n  '}"
