#!/usr/bin/env bash
# What the running demo tells Prometheus, and the alert rules on it, by promtool.
#
#   tests/metrics/run.sh [BINARY]     BINARY: mcp-confluence
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
start_demo "$binary" "$scratch/demo.log"
python3 - "$url/metrics" >"$scratch/metrics.txt" <<'PY'
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end="")
PY
promtool check metrics <"$scratch/metrics.txt"
cd "$root/config/monitoring"
promtool check rules alerts.yml
promtool test rules alerts.test.yml
