# shellcheck shell=bash
# Bash completion of terrace: source <(terrace completion bash), or install this file as
# /usr/share/bash-completion/completions/terrace.

# The keys of the configuration, as the program itself lists them; tiers by number.
_terrace_keys() {
  local keys
  keys=$("${COMP_WORDS[0]}" config schema 2>/dev/null | sed -n '2,$ { s/ .*//; s/\[\]/[0]/; s/$/=/; p }')
  mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$1")
  compopt -o nospace 2>/dev/null
}

_terrace() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    words='put get ls lookup why scrub stats serve server simulate config bench completion --help --version'
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  local command=${COMP_WORDS[1]}
  if [[ $command == config ]]; then
    if [[ $COMP_CWORD -eq 2 ]]; then
      mapfile -t COMPREPLY < <(compgen -W 'show check schema import --help' -- "$current")
      return
    fi
    command="config ${COMP_WORDS[2]}"
  fi
  if [[ $command == server ]]; then
    if [[ $COMP_CWORD -eq 2 ]]; then
      words='stats watch quota limit drain resume mode --help'
      mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      return
    fi
    command="server ${COMP_WORDS[2]}"
  fi
  if [[ $command == bench ]]; then
    if [[ $COMP_CWORD -eq 2 ]]; then
      mapfile -t COMPREPLY < <(compgen -W 'write-back staging --help' -- "$current")
      return
    fi
    command="bench ${COMP_WORDS[2]}"
  fi
  case $previous in
    --manifest | -o | --output | --trace | --plot | --file | --socket)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --dir)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --io)
      mapfile -t COMPREPLY < <(compgen -W 'auto uring psync' -- "$current")
      return
      ;;
    --format)
      words='mooncake coding-agent terrace'
      [[ $command == 'config import' ]] && words='auto yaml env flags'
      mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      return
      ;;
    --policy)
      mapfile -t COMPREPLY < <(compgen -W 'lru noop two_class optimum unbounded' -- "$current")
      return
      ;;
    --set)
      _terrace_keys "$current"
      return
      ;;
    --namespace | --key | --capacity | --l1 | --*-blocks | --block-*) return ;;
    --session-interval | --disk-capacity | --allow-uid) return ;;
    --count | --reserved | --leased | --timeout) return ;;
    --bytes | --bandwidth | --latency | --rounds | --least-ratio) return ;;
  esac
  if [[ $current != -* ]]; then
    case $command,$COMP_CWORD in
      bench\ *) ;;
      server\ mode,3) mapfile -t COMPREPLY < <(compgen -W 'cache staging' -- "$current") ;;
      server\ *) ;;
      config\ *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      completion,*) mapfile -t COMPREPLY < <(compgen -W bash -- "$current") ;;
      put,2 | get,2 | lookup,2 | why,2 | stats,2)
        mapfile -t COMPREPLY < <(compgen -d -- "$current"; compgen -f -X '!*.y*ml' -- "$current")
        ;;
      serve,*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      put,*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      *) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    esac
    return
  fi
  case $command in
    put) words='--namespace --key --manifest --chain --capacity --l1 --io --verbose --json --help' ;;
    get) words='--namespace --key -o --output --l1 --io --json --help' ;;
    ls) words='--namespace --blocks --json --help' ;;
    lookup | why) words='--namespace --key --l1 --io --json --help' ;;
    stats) words='--l1 --io --json --help' ;;
    serve) words='--socket --allow-uid --l1 --dir --capacity --set --json --help' ;;
    simulate)
      words='--trace --format --policy --capacity-blocks --disk-blocks --block-bytes --block-tokens
        --chunk-blocks --session-interval --plot --json --help'
      ;;
    config\ show) words='--file --set --json --help' ;;
    config\ check) words='--open --set --json --help' ;;
    config\ schema) words='--markdown --json --help' ;;
    config\ import) words='--format -o --output --disk-capacity --open --json --help' ;;
    bench\ write-back) words='--bandwidth --latency --bytes --block-bytes --rounds --dir --json --help' ;;
    bench\ staging)
      words='--bytes --block-bytes --l1 --bandwidth --least-ratio --rounds --dir --json --help'
      ;;
    server\ watch) words='--count --socket --json --help' ;;
    server\ limit) words='--reserved --leased --socket --json --help' ;;
    server\ drain) words='--timeout --socket --json --help' ;;
    server\ *) words='--socket --json --help' ;;
    scrub | completion) words='--json --help' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o filenames -F _terrace terrace
