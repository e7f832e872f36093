#!/usr/bin/env bash
# The web page in headless Chromium against the demo.
#
#   tests/browser/run.sh [BINARY] [FOLDER]     BINARY: mcp-confluence; FOLDER: keep screenshots there
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
shots=${2:+$(realpath "$2")}
cd "$root/tests/browser"
work=$PWD/.work

mkdir -p "$work"
if ! cmp -s package.json "$work/package.json" || [ ! -d "$work/node_modules" ]; then
  cp package.json package-lock.json "$work/"
  (cd "$work" && npm ci --no-audit --no-fund --loglevel=error)
fi
cp page.mjs "$work/"
start_demo "$binary" "$work/demo.log"
timeout 240 node "$work/page.mjs" "$url" ${shots:+"$shots"}
