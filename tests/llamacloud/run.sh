#!/usr/bin/env bash
# The vendor's own Python clients, current and old, against our LlamaCloud simulator: where they work, the simulator that the
# adapter is tested against is right.
#
#   tests/llamacloud/run.sh [BINARY]        BINARY: the simulators' example `serve`, by default the debug build
#
# Installs pinned packages into tests/llamacloud/.work (kept for the next time) and fails where anything fails. Needs python3.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd) work=$PWD/.work
serve=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/examples/serve}
mkdir -p "$work"

for line in 2 0; do
  if ! "$work/py$line/bin/pip" freeze 2>/dev/null | grep -qxF "$(cat requirements-$line.txt)"; then
    python3 -m venv "$work/py$line"
    "$work/py$line/bin/pip" install --quiet --disable-pip-version-check -r "requirements-$line.txt"
  fi
done
[ -x "$serve" ] || (cd "$root" && cargo build --locked -p simulators --example serve)

started=
stop() { [ -z "$started" ] || kill "$started" 2>/dev/null || true; }
trap stop EXIT
for line in 2 0; do
  # A fresh account for each client.
  "$serve" >"$work/serve.log" 2>&1 &
  started=$!
  base=
  for _ in $(seq 100); do
    base=$(sed -n 's/^LLAMA_CLOUD_BASE_URL=//p' "$work/serve.log")
    [ -n "$base" ] && break
    sleep 0.1
  done
  [ -n "$base" ] || { cat "$work/serve.log"; exit 1; }
  timeout 120 "$work/py$line/bin/python" "$root/crates/simulators/tests/official_client.py" "$base"
  echo "ok   $(cat requirements-$line.txt)"
  kill "$started" && wait "$started" 2>/dev/null || true
  started=
done
