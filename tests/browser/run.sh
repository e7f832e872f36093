#!/usr/bin/env bash
# The web page in headless Chromium against the demo.
#
#   tests/browser/run.sh [BINARY] [FOLDER]     BINARY: mcp-confluence; FOLDER: keep screenshots there
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd) work=$PWD/.work
binary=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/mcp-confluence}
shots=${2:-}

mkdir -p "$work"
if ! cmp -s package.json "$work/package.json" || [ ! -d "$work/node_modules" ]; then
  cp package.json package-lock.json "$work/"
  (cd "$work" && npm ci --no-audit --no-fund --loglevel=error)
fi
cp page.mjs "$work/"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$binary" demo --port "$port" --every 3600 >"$work/demo.log" 2>&1 &
demo=$!
trap 'kill $demo 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  grep -q "Ctrl-C ends it" "$work/demo.log" && break
  kill -0 $demo || { cat "$work/demo.log"; exit 1; }
  sleep 0.2
done
timeout 240 node "$work/page.mjs" "http://127.0.0.1:$port" ${shots:+"$shots"}
