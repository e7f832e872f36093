#!/usr/bin/env bash
# What the running demo tells Prometheus, and the alert rules on it, by promtool.
#
#   tests/metrics/run.sh [BINARY]     BINARY: mcp-confluence
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
binary=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/mcp-confluence}
work=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$binary" demo --port "$port" --every 3600 >"$work/demo.log" 2>&1 &
demo=$!
trap 'kill $demo 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 300); do
  grep -q "Ctrl-C ends it" "$work/demo.log" && break
  kill -0 $demo || { cat "$work/demo.log"; exit 1; }
  sleep 0.2
done
python3 - "http://127.0.0.1:$port/metrics" >"$work/metrics.txt" <<'PY'
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end="")
PY
promtool check metrics <"$work/metrics.txt"
cd "$root/config/monitoring"
promtool check rules alerts.yml
promtool test rules alerts.test.yml
