#!/usr/bin/env bash
# Forty users of MCP who connect, call, idle and vanish without DELETE, against the demo on loopback; memory has to stay flat.
#
#   tests/soak/run.sh [MINUTES [BINARY]]     MINUTES: 30 by default; BINARY: mcp-confluence
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
minutes=${1:-30}
binary=$(realpath "${2:-${CARGO_TARGET_DIR:-$root/target}/debug/mcp-confluence}")
work=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$binary" demo --port "$port" --every 3600 >"$work/demo.log" 2>&1 &
demo=$!
trap 'kill $demo 2>/dev/null || true; wait $demo 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 300); do
  grep -q "Ctrl-C ends it" "$work/demo.log" && break
  kill -0 $demo || { cat "$work/demo.log"; exit 1; }
  sleep 0.2
done
url=$(sed -n 's/.* serves at //p' "$work/demo.log" | head -1)
python3 "$here/soak.py" "$url" $demo "$minutes"
