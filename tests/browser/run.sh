#!/usr/bin/env bash
# The web page in headless Chromium: against the demo, against a service with a key, one with an issuer, behind a prefix, and in states that no demo
# comes to. Every state is looked at by axe, and at the width of a phone.
#
#   tests/browser/run.sh [BINARY]     BINARY: mcp-confluence, by default the debug build
#
# SCREENSHOTS names a folder for pictures of every state.
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
if [ -n "${SCREENSHOTS:-}" ]; then
  mkdir -p "$SCREENSHOTS"
  SCREENSHOTS=$(realpath "$SCREENSHOTS")
  export SCREENSHOTS
fi
cd "$root/tests/browser"
work=$PWD/.work

mkdir -p "$work"
if ! cmp -s package-lock.json "$work/package-lock.json" || [ ! -d "$work/node_modules" ]; then
  cp package.json package-lock.json "$work/"
  (cd "$work" && npm ci --no-audit --no-fund --loglevel=error)
fi
cp ./*.mjs "$work/"
start_demo "$binary" "$scratch/demo.log"
timeout 900 node "$work/main.mjs" "$url" "$binary" "$scratch"
