#!/usr/bin/env bash
# Forty users of MCP who connect, call, idle and vanish without DELETE, against the demo on loopback; memory has to stay flat.
#
#   tests/soak/run.sh [MINUTES [BINARY]]     MINUTES: 30 by default; BINARY: mcp-confluence
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
minutes=${1:-30}
binary=$(realpath "${2:-$built/mcp-confluence}")
start_demo "$binary" "$scratch/demo.log"
python3 "$root/tests/soak/soak.py" "$url" "$demo" "$minutes" || {
  kill -0 "$demo" 2>/dev/null || { wait "$demo" || echo "FAIL the service ended with status $?"; }
  tail -50 "$scratch/demo.log"
  exit 1
}
