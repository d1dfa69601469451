#!/usr/bin/env bash
# Installs the Debian packages that are missing, in one go, and does nothing when none is.
source "$(dirname "$0")/common.sh"

groups_all=(build test python demo bench lint)

usage() {
  cat <<'TEXT'
usage: ./dev setup [--list] [--quiet] [GROUP...]

Installs the Debian 12 packages that are missing, as root or through sudo.
GROUP is build, test, python, demo, bench, lint or all (the default).

  --list     print the packages, what each is for and whether it is there; install nothing
  --quiet    do and say nothing when only packages are missing that Terrace builds without

examples:
  ./dev setup              everything
  ./dev setup build demo   what ./dev demo needs
  ./dev setup --list lint
TEXT
}

list_only=no quiet=no groups=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --list) list_only=yes ;;
    --quiet) quiet=yes ;;
    all) groups=("${groups_all[@]}") ;;
    build | test | python | demo | bench | lint) groups+=("$argument") ;;
    *) usage_error "unknown argument '$argument'; groups are: ${groups_all[*]} all" ;;
  esac
done
[[ ${#groups[@]} -gt 0 ]] || groups=("${groups_all[@]}")

in_groups() {
  local group
  for group in "${groups[@]}"; do [[ $group == "$1" ]] && return 0; done
  return 1
}

is_installed() {  # PACKAGE PROGRAM
  [[ $2 != - ]] && command -v "$2" >/dev/null && return 0
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

has_candidate() {
  local policy
  policy=$(apt-cache policy "$1" 2>/dev/null)
  [[ $policy =~ Candidate:\ [^\(] ]]
}

command -v dpkg-query >/dev/null ||
  fail "this is not Debian: install what tools/dev/packages.txt names by hand"

declare -A why need
missing=()
while IFS='|' read -r group package level program reason; do
  read -r group <<<"$group" || true
  in_groups "$group" || continue
  read -r package <<<"$package"
  read -r level <<<"$level"
  read -r program <<<"$program"
  read -r reason <<<"$reason"
  [[ -z ${why[$package]-} ]] || continue
  why[$package]=$reason need[$package]=$level state=there
  is_installed "$package" "$program" || { missing+=("$package") && state=missing; }
  [[ $list_only == no ]] || printf '%-20s %-8s %s\n' "$package" "$state" "$reason"
done <tools/dev/packages.txt
[[ $list_only == no ]] || exit 0

# A package that setup may go without is asked for by ./dev setup alone, not again by every other command.
if [[ $quiet == yes ]]; then
  must=no
  for package in "${missing[@]}"; do [[ ${need[$package]} == may ]] || must=yes; done
  [[ $must == yes ]] || missing=()
fi
if [[ ${#missing[@]} -eq 0 ]]; then
  [[ $quiet == yes ]] || say "setup: nothing to do, all packages of ${groups[*]} are there"
  exit 0
fi

say "setup: these Debian packages are missing and will be installed:"
for package in "${missing[@]}"; do printf '  %-20s %s\n' "$package" "${why[$package]}"; done

as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null || fail "not root and no sudo; as root run: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
say "setup: apt-get update"
if ! apt update >"$log" 2>&1; then
  tail -n 5 "$log" >&2
  say "setup: apt-get update failed; going on with the package lists that are there"
fi

install=() absent=()
for package in "${missing[@]}"; do
  if has_candidate "$package"; then
    install+=("$package")
  elif [[ ${need[$package]} == may ]]; then
    say "setup: apt has no package '$package' (${why[$package]}); going on without it"
  else
    absent+=("$package")
  fi
done
[[ ${#absent[@]} -eq 0 ]] || fail "apt has no package for: ${absent[*]}." \
  "Terrace is built on Debian 12 (main and updates); check the apt sources and the network."
[[ ${#install[@]} -gt 0 ]] || exit 0

say "setup: apt-get install ${install[*]}"
if ! apt install -y --no-install-recommends "${install[@]}" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  still=()
  for package in "${install[@]}"; do is_installed "$package" - || still+=("$package"); done
  fail "apt-get install failed; not installed: ${still[*]-none}"
fi
say "setup: installed ${#install[@]} packages"
