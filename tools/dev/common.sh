# shellcheck shell=bash
# What every tools/dev script uses. Sourced from the repository root, which ./dev makes the working directory.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
  exit 1
}
usage_error() {
  printf '%s: %s (see ./dev %s --help)\n' "$(basename "$0" .sh)" "$*" "$(basename "$0" .sh)" >&2
  exit 2
}

# Compilers at work at once: one per core, and no more than one per GiB of memory.
jobs_max() {
  local cores gib
  cores=$(nproc)
  gib=$(awk '/^MemTotal:/ { print int($2 / 1048576) }' /proc/meminfo)
  echo $((gib < 1 ? 1 : gib < cores ? gib : cores))
}

# The presets of CMakePresets.json that may be built, one a line.
presets() { grep -v '"hidden": true' CMakePresets.json | sed -n 's/.*{"name": "\([a-z]*\)".*/\1/p'; }

check_preset() {
  local known
  known=$(presets | tr '\n' ' ')
  [[ " $known" == *" $1 "* ]] || usage_error "unknown preset '$1'; one of: ${known% }"
}

# configure_and_build PRESET [TARGET...]
configure_and_build() {
  local preset=$1
  shift
  local log="build/$preset/configure.log"
  mkdir -p "build/$preset"
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  cmake --build "build/$preset" --parallel "$(jobs_max)" ${1:+--target "$@"}
}

need_python() {
  command -v python3 >/dev/null || fail "python3 is missing; ./dev setup installs it"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "python3 is $(python3 -V 2>&1 | cut -d' ' -f2); 3.11 or newer is needed"
}
