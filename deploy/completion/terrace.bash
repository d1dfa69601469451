# shellcheck shell=bash
# Bash completion of terrace: source <(terrace completion bash), or install this file as
# /usr/share/bash-completion/completions/terrace.

_terrace() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    words='put get ls lookup scrub stats simulate completion --help --version'
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  case $previous in
    --manifest | -o | --output | --trace | --plot)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --io)
      mapfile -t COMPREPLY < <(compgen -W 'auto uring psync' -- "$current")
      return
      ;;
    --format)
      mapfile -t COMPREPLY < <(compgen -W 'mooncake coding-agent terrace' -- "$current")
      return
      ;;
    --policy)
      mapfile -t COMPREPLY < <(compgen -W 'lru noop two_class optimum unbounded' -- "$current")
      return
      ;;
    --namespace | --key | --capacity | --l1 | --*-blocks | --block-* | --session-interval) return ;;
  esac
  if [[ $current != -* ]]; then
    case ${COMP_WORDS[1]},$COMP_CWORD in
      completion,*) mapfile -t COMPREPLY < <(compgen -W bash -- "$current") ;;
      put,2) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      put,*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      *) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    esac
    return
  fi
  case ${COMP_WORDS[1]} in
    put) words='--namespace --key --manifest --chain --capacity --l1 --io --verbose --json --help' ;;
    get) words='--namespace --key -o --output --l1 --io --json --help' ;;
    ls) words='--namespace --blocks --json --help' ;;
    lookup) words='--namespace --key --l1 --io --json --help' ;;
    stats) words='--l1 --io --json --help' ;;
    simulate)
      words='--trace --format --policy --capacity-blocks --disk-blocks --block-bytes --block-tokens
        --chunk-blocks --session-interval --plot --json --help'
      ;;
    scrub | completion) words='--json --help' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o filenames -F _terrace terrace
