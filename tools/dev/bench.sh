#!/usr/bin/env bash
# Builds the bench preset and runs the benchmark table.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev bench [--json FILE] [OPTIONS]

Builds the release benchmarks and measures Terrace beside its bare counterparts (the io_uring loop,
memcpy, a hash map, a file per block), both sides in one run.

  --json FILE    write rows of name, ours, theirs, unit, ratio, runs, min, max

Other options go to bench/run.py as they are: bench/run.py --help lists them.

examples:
  ./dev bench
  ./dev bench --json bench.json
TEXT
}

case ${1-} in -h | --help) usage && exit 0 ;; esac
tools/dev/build.sh bench
need_python
step "bench"
exec python3 bench/run.py "$@"
