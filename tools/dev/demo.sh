#!/usr/bin/env bash
# The main job from a bare machine: set-up, release build with llama.cpp, then the demo itself.
source "$(dirname "$0")/common.sh"

usage() {
  cat <<'TEXT'
usage: ./dev demo [--json FILE] [--plot FILE] [--model GGUF] [--tiny]

Installs what is missing, builds Terrace with llama.cpp, and asks a model the same questions about a
long document: without a cache, cold, from memory, after a restart, after kill -9, with damage on disk,
and from two processes that share a server. Prints a table; the generated tokens of all phases must be
equal.

  --json FILE    write the figures of every phase
  --plot FILE    write the plot (.svg)
  --model GGUF   use this model instead of the pinned one
  --tiny         a tiny random model that the project writes itself: quick, no model download

Other options go to integrations/llama_cpp/demo.py as they are.

examples:
  ./dev demo
  ./dev demo --json demo.json --plot demo.svg
  ./dev demo --tiny
TEXT
}

# Wrong use is said now, not after the build.
previous='' model='' tiny=no
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --tiny) tiny=yes ;;
    --model=*) model=${argument#*=} ;;
    *) [[ $previous != --model ]] || model=$argument ;;
  esac
  previous=$argument
done
case $previous in --json | --plot | --model) usage_error "$previous needs a value" ;; esac
[[ -z $model || -r $model ]] || usage_error "--model: '$model' cannot be read"

tools/dev/build.sh demo
[[ $tiny == yes || -n $model ]] || integrations/llama_cpp/fetch.sh --only model
need_python
step "demo"
exec python3 integrations/llama_cpp/demo.py "$@"
