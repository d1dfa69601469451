#!/usr/bin/env bash
# The program of a guide page, run twice on the configuration of the page: what the first run stores the
# second one finds. usage: guide_test.sh PROGRAM PAGE
set -euo pipefail

program=$1 page=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Directories of the page become the test's own, and small.
sed -n '/^...yaml$/,/^...$/{/^...\(yaml\)\?$/!p}' "$page" |
  sed -e "s|/nvme0|$folder|" -e 's|GiB|MiB|' >"$folder/terrace.yaml"
cd "$folder"
"$program" terrace.yaml >first
"$program" terrace.yaml >second
cat first second
grep -q '^0 of 8 blocks were there$' first
grep -q '^8 of 8 blocks were there$' second
