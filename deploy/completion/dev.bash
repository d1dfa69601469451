# shellcheck shell=bash
# Bash completion of ./dev: source it, or put it into /etc/bash_completion.d/.

_terrace_dev() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'setup build demo test bench lint fmt --help' -- "$current")
    return
  fi
  case ${COMP_WORDS[1]},$previous in
    demo,--json | demo,--plot | demo,--model | bench,--json)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    test,--preset) words='dev clang asan tsan' ;;
    test,--filter) ;;
    setup,*) words='build test demo bench lint all --list --quiet --help' ;;
    build,*) words='release dev clang demo bench asan tsan --help' ;;
    demo,*) words='--json --plot --model --tiny --help' ;;
    test,*) words='--preset --lab=quick --lab=full --lab=none --slow --filter --help' ;;
    bench,*) words='--json --help' ;;
    lint,*) words='self format layers tidy shell python --help' ;;
    fmt,*)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o filenames -F _terrace_dev ./dev dev
