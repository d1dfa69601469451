#!/usr/bin/env bash
# Builds the bench preset and runs the benchmark table.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev bench [--json FILE] [OPTIONS]
       ./dev bench lmcache [OPTIONS]

Builds the release benchmarks and measures Terrace beside its bare counterparts (the io_uring loop,
memcpy, a hash map, a file per block), both sides in one run.

  --json FILE    write rows of name, ours, theirs, unit, ratio, runs, min, max

Other options go to bench/run.py as they are: bench/run.py --help lists them.

'lmcache' measures LMCache's server beside Terrace's, each driven from Python; it installs LMCache from PyPI
into build/lmcache first (about 6 GB). bench/lmcache.py --help lists its options.

examples:
  ./dev bench
  ./dev bench --json bench.json
  ./dev bench lmcache --requests 20
TEXT
}

case ${1-} in -h | --help) usage && exit 0 ;; esac
if [[ ${1-} == lmcache ]]; then
  shift
  tools/dev/build.sh release
  need_python
  step "bench lmcache"
  exec python3 bench/lmcache.py "$@"
fi
tools/dev/build.sh bench
need_python
step "bench"
exec python3 bench/run.py "$@"
